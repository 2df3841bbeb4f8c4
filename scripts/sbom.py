"""Prints what this interpreter has installed, as CycloneDX: ``python scripts/sbom.py``.

The image's build runs it with the image's own packages in sight, so that the list
is of what is there and not of what was asked for. Debian's packages are in it, too;
with ``--python-only``, as for the wheel, they are not.
"""

import json
import platform
import re
import subprocess
import sys
from importlib import metadata
from typing import Any, Dict, List

APPLICATION = "autovoice"


def name_of(distribution: metadata.Distribution) -> str:
    """As package indexes spell it."""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def python_component(distribution: metadata.Distribution) -> Dict[str, Any]:
    """One Python package, with the licence that it names."""
    said, name = distribution.metadata, name_of(distribution)
    purl = f"pkg:pypi/{name}@{distribution.version}"
    component: Dict[str, Any] = {
        "type": "application" if name == APPLICATION else "library",
        "bom-ref": purl,
        "name": name,
        "version": distribution.version,
        "purl": purl,
    }
    if said.get("License-Expression"):
        component["licenses"] = [{"expression": said["License-Expression"]}]
    elif said.get("License") and "\n" not in said["License"]:
        component["licenses"] = [{"license": {"name": said["License"]}}]
    return component


def debian_components() -> List[Dict[str, Any]]:
    """Debian's packages; none on another system."""
    try:
        command = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture}\n"]
        listed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    except OSError:
        return []
    system = platform.freedesktop_os_release()
    found = []
    for line in listed.splitlines():
        name, version, architecture = line.split()
        purl = (
            f"pkg:deb/{system['ID']}/{name}@{version.replace('+', '%2B')}"
            f"?arch={architecture}&distro={system['ID']}-{system.get('VERSION_ID', '')}"
        )
        found.append(
            {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
        )
    return found


def bill(python_only: bool = False) -> Dict[str, Any]:
    """The whole document."""
    # A path that is there twice, as a prefix over another, shows a package once.
    unique = {name_of(found): found for found in metadata.distributions()}
    packages = [python_component(unique[name]) for name in sorted(unique)]
    own = [component for component in packages if component["name"] == APPLICATION]
    rest = [component for component in packages if component["name"] != APPLICATION]
    python = {
        "type": "application",
        "bom-ref": "python",
        "name": "python",
        "version": platform.python_version(),
        "purl": f"pkg:generic/python@{platform.python_version()}",
    }
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": own[0]} if own else {},
        "components": [python, *rest, *([] if python_only else debian_components())],
    }


if __name__ == "__main__":
    print(json.dumps(bill(python_only="--python-only" in sys.argv[1:]), indent=1))
