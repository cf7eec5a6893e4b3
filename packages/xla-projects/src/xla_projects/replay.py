"""Pure functions of tensors that are recorded once for each shape, and replayed as one operation afterwards.

torch_xla records a step anew each time it runs. A scan is also lowered and built anew, before the step is looked up
among the compiled ones. That takes 4 to 5 ms of Python for a scan of any length: more than a small network takes to
compute. `torch_xla.experimental.assume_pure` saves this by means of JAX; `Replayed` does with torch_xla alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class _Recorded:
    """A lowered function.

    Attributes:
        computation: of XLA, with numbered parameters.
        places: for each parameter that is an input, the place of that input.
        constants: the tensors of the other parameters.
    """

    computation: Any
    places: dict[int, int]
    constants: dict[int, Tensor]


class Replayed:
    """A function of tensors on the XLA device, recorded at the first call for inputs of these shapes and types.

    Gradients do not flow through it: it is for `forward` and `backward` of a `torch.autograd.Function`.

    Args:
        function: from tensors to a tuple of tensors; pure, and without random numbers.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self.function = function
        self.recorded: dict[Any, _Recorded] = {}

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        import torch_xla

        key = tuple((tensor.shape, tensor.dtype) for tensor in inputs)
        if key not in self.recorded:
            self.recorded[key] = self._record(inputs)
        known = self.recorded[key]
        given = [
            inputs[known.places[number]] if number in known.places else known.constants[number]
            for number in range(len(known.places) + len(known.constants))
        ]
        return torch_xla._XLAC._xla_user_computation("xla_projects::replayed", given, known.computation)

    @torch.no_grad()
    def _record(self, inputs: tuple[Tensor, ...]) -> _Recorded:
        import torch_xla
        from torch_xla.core import xla_builder

        stand_ins = [xla_builder.create_placeholder_tensor(tensor.shape, tensor.dtype) for tensor in inputs]
        context = torch_xla._XLAC.lowering.LoweringContext(self.function.__name__)
        context.build(list(self.function(*stand_ins)))
        computation = xla_builder.computation_from_module_proto(self.function.__name__, context.hlo())
        numbers = [context.tensor_parameter_id(tensor) for tensor in stand_ins]
        places = {number: place for place, number in enumerate(numbers) if number >= 0}  # -1: not used
        parameters = context.device_parameter_id_tensor_mapping()
        constants = {number: tensor for number, tensor in parameters.items() if number not in places}
        return _Recorded(computation, places, constants)
