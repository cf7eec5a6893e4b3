"""How the embedded models are made, such as by `python -m dl_architectures.nlp.training.sentiment train`."""
