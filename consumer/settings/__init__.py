"""Every setting: declared once, gathered from its sources, checked at start."""

from consumer.settings.settings import (
    KafkaProperties,
    LogFormat,
    LogLevel,
    Secret,
    SettingDoc,
    Settings,
    SettingsError,
    load_settings,
    settings_table,
    variable,
)

__all__ = [
    "KafkaProperties",
    "LogFormat",
    "LogLevel",
    "Secret",
    "SettingDoc",
    "Settings",
    "SettingsError",
    "load_settings",
    "settings_table",
    "variable",
]
