pytest_plugins = ["grading.plugin"]
