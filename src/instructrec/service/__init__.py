"""The live service: a run over HTTP, with what people did since, within a deadline."""
