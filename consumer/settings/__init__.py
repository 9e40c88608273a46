"""Every setting: declared once, gathered from its sources, checked at start."""

from consumer.settings.loading import SettingDoc, SettingsError, load_settings, settings_table
from consumer.settings.secret import KafkaProperties, Secret
from consumer.settings.settings import Settings
from consumer.settings.sources import Given, variable

__all__ = [
    "Given",
    "KafkaProperties",
    "Secret",
    "SettingDoc",
    "Settings",
    "SettingsError",
    "load_settings",
    "settings_table",
    "variable",
]
