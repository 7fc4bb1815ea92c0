"""A study: settings, case table and cohorts, checked as a whole before anything runs."""

from ovfrad.study.load import Study, load
from ovfrad.study.settings import StudySettings

__all__ = ["Study", "StudySettings", "load"]
