"""A learner's module, merged with the platform's own, inside the live system.

A part that is still as in the generated starter is the platform's, and what the learner changed is the
learner's (docs/decisions/0027-merged-modules.md).

Two environment variables decide: `LAB_CODE` holds pairs such as
`civildiy.profile.api=01-services/api.py`, joined by commas; `LAB_CODE_FOLDER` is where those files
lie. Without them this package only reports that no such files run. Under Compose `LAB_CODE_SETTINGS`
takes the place of `LAB_CODE`: a folder with a file for each unit, so that JupyterLab, which cannot control
the containers, can change what runs; `LAB_CODE_REPORTS` is a folder in which JupyterLab reads the
units' reports (docs/decisions/0012-jupyterlab-has-no-engine.md).
"""
