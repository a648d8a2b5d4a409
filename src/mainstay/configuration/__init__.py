"""What a project asks for: `mainstay.toml`, or `[tool.mainstay]` in `pyproject.toml`."""

from mainstay.configuration.main import OWN_FILE as OWN_FILE
from mainstay.configuration.main import SHARED_FILE as SHARED_FILE
from mainstay.configuration.main import Configuration as Configuration
from mainstay.configuration.main import Public as Public
from mainstay.configuration.main import configuration_for as configuration_for
from mainstay.configuration.main import read_configuration as read_configuration
from mainstay.configuration.main import rule_named as rule_named
from mainstay.configuration.source import ConfigurationError as ConfigurationError
