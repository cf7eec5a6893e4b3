"""A console script from outside: what it answers to bad input, and what its --help imports."""

import subprocess
import sys


def refused(capsys, main, *arguments):
    """The one line with which a script, called with bad input, ends in status 2."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert "Traceback" not in captured.err
    return line


def help_without_frameworks(module, *verbs):
    """The help of some verbs, in a process that is seen to import no framework for it."""
    program = (
        f"import sys\nfrom {module} import main\n"
        f"for verb in {verbs!r}:\n"
        "    try:\n        main([verb, '--help'])\n    except SystemExit: pass\n"
        "print([name for name in ('jax', 'flax', 'numpy', 'pandas') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[]"
    return done.stdout
