"""The offline clouds: servers on this machine that run what unmodified clients ask them to run."""
