"""Settings and profiles. See `settings` for the order of precedence."""

from dataflare_cli.config.files import TREE_FILE, UserFile
from dataflare_cli.config.settings import (
    Resolved,
    Settings,
    default_data_dir,
    expand_home,
    user_file_path,
)
from dataflare_cli.config.table import (
    BY_KEY,
    LOCAL_PROFILE,
    LOG_LEVELS,
    OUTPUTS,
    PROFILE,
    SETTINGS,
    BadValueError,
    Setting,
    Value,
    is_address,
    is_path,
)

__all__ = [
    "BY_KEY",
    "LOCAL_PROFILE",
    "LOG_LEVELS",
    "OUTPUTS",
    "PROFILE",
    "SETTINGS",
    "TREE_FILE",
    "BadValueError",
    "Resolved",
    "Setting",
    "Settings",
    "UserFile",
    "Value",
    "default_data_dir",
    "expand_home",
    "is_address",
    "is_path",
    "user_file_path",
]
