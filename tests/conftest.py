"""For all tests: the options of whoever runs them are not those of the command that is tested."""

import os

for name in [name for name in os.environ if name.startswith("TAILRACE_")]:
    del os.environ[name]
