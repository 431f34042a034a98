"""The target ``local``: an MLflow registry on SQLite and supervised model servers on this machine."""
