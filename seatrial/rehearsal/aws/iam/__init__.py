"""IAM in the offline AWS: who has a role's credentials may do what the role's policies allow, and nothing else.

``asked`` reads a request, ``needs`` says which actions on which resources it takes, ``policy`` and ``conditions``
evaluate a role's policies, ``authority`` knows the sessions and counts, and ``door`` stands before every service.
Identity policies of roles are evaluated, and trust policies; resource policies, boundaries of organisations and session
policies are not. The account's owner may do everything.
"""
