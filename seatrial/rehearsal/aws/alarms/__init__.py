"""CloudWatch alarms that are evaluated: on every metric there is, all the time, with events and notifications."""
