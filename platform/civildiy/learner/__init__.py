"""A learner's module in place of the platform's own, inside the live system.

Two environment variables decide: `LAB_CODE` holds pairs such as
`civildiy.profile.api=01-services/api.py`, joined by commas; `LAB_CODE_FOLDER` is where those files
lie. Without them nothing in this package does anything.
"""
