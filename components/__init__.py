"""The project's components: one thin function per file. They read the model's settings and call the engine."""
