"""YAML as our files are written in it: version 1.2, plain values only, nothing that builds objects."""

from ruamel.yaml import YAML


def plain_yaml() -> YAML:
    """A reader for one document; the standard lets an anchor be used again, so that is nothing to warn of."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    return yaml
