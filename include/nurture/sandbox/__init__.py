"""Sandbox: a stand-in for SendGrid and for a CRM on loopback, for the demo, the tests and load.

It speaks only HTTP: nothing of the library is imported here, and the library imports nothing from here.
"""
