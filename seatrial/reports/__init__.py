"""The page that a person reads after a run: ``render(RunReport(...))`` gives one self-contained HTML file."""
