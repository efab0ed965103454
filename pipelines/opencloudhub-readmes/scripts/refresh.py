"""Ask GitHub which READMEs there are now, and list them in sources.yaml.

    python scripts/refresh.py                  GITHUB_TOKEN, if set, lets it ask more often
    python scripts/refresh.py --local FOLDER   from a folder of them below $DREG_MIRROR instead

Then `dreg run opencloudhub-readmes`: what has changed becomes the next version.
"""

from dreg.stages import readmes

readmes.refresh()
