"""Tests of jieneng.locale."""
