"""The story of a rehearsal: a model's whole life cycle against an offline cloud, told as it happens, with evidence."""
