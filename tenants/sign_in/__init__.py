"""How people come in and out: passwords, second factors, the company's own provider (OpenID Connect), sessions.

django-allauth does the work. What is here is our configuration of it, what it leaves to us (ID tokens checked in full,
memberships from claims, sign-out that providers ask for), and the pages of a person's own account.
"""
