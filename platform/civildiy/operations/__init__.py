"""Tools that read across services on purpose: verify, rebuild, redrive, costs.

A service opens its own database only, so each can change how it stores things. These tools may open those
of posts and feed, because to compare and to repair them is their task. A person starts them: no request
depends on one, and no service imports them.
"""
