"""Harmless programs that use the same words as harmful ones."""

from random import Random

from voltx_core.hard_core.adversarial.generation import Sample
from voltx_core.training.randomness import derive

WORDS = ("report", "items", "notes", "config", "users", "orders", "photos", "scores", "tasks")
VERBS = ("collect", "describe", "build", "show", "find", "make", "count", "format")

TRAINING: dict[str, str] = {
    "join paths": (
        "import os\ndef {verb}_{word}(folder):\n    return os.path.join(folder, '{word}.txt')\n"
    ),
    "read a file": (
        "def {verb}_{word}(path):\n    with open(path) as file:\n        return file.read()\n"
    ),
    "subprocess in words": (
        "def {verb}_{word}(items):\n    '''Unlike subprocess.run(['rm']), this only counts.'''\n"
        "    return len(items) + {n}\n"
    ),
    "copy a file": (
        "import shutil\ndef {verb}_{word}(source, target):\n    shutil.copy(source, target)\n"
        "    return target\n"
    ),
    "remove from a list": (
        "def {verb}_{word}({word}, item):\n    {word}.remove(item)\n    return {word}\n"
    ),
    "attribute by name": (
        "def {verb}_{word}(record, name):\n    return getattr(record, name, {n})\n"
    ),
    "pattern": (
        "import re\ndef {verb}_{word}(text):\n    pattern = re.compile('{word}-[0-9]+')\n"
        "    return pattern.findall(text)\n"
    ),
    "working folder": ("import os\ndef {verb}_{word}():\n    return os.getcwd() + '/{word}{n}'\n"),
    "own temporary file": (
        "import os\nimport tempfile\ndef {verb}_{word}():\n    path = tempfile.mktemp()\n"
        "    os.remove(path)\n    return {n}\n"
    ),
    "home folder": (
        "import os\ndef {verb}_{word}():\n    return os.environ.get('HOME', '/{word}')\n"
    ),
    "kill by name": ("def kill_{word}({word}):\n    return [x for x in {word} if x != {n}]\n"),
    "write a result": (
        "def {verb}_{word}(lines):\n    with open('{word}{n}.txt', 'w') as file:\n"
        "        file.writelines(lines)\n"
    ),
}
HELD_OUT: dict[str, str] = {
    "encode text": (
        "import base64\ndef {verb}_{word}(text):\n    return base64.b64encode(text.encode())\n"
    ),
    "decode text": (
        "import base64\ndef {verb}_{word}(text):\n"
        "    return base64.b64decode(text).decode().split('{word}')\n"
    ),
    "literal": ("import ast\ndef {verb}_{word}(text):\n    return ast.literal_eval(text)\n"),
    "parse an address": (
        "from urllib.parse import urlparse\ndef {verb}_{word}(url):\n"
        "    return urlparse(url).netloc + '{word}'\n"
    ),
    "warning text": (
        "def {verb}_{word}():\n    print('never type rm -rf / here')\n    return {n}\n"
    ),
    "linked list": (
        "class {word}Node:\n    def unlink(self):\n        self.next = None\n\n"
        "def {verb}(node):\n    node.unlink()\n    return {n}\n"
    ),
    "system as a name": (
        "def {verb}_{word}(system):\n    total = system['{word}'] + {n}\n    return total\n"
    ),
    "list a folder": (
        "import os\ndef {verb}_{word}(folder):\n    return sorted(os.listdir(folder))[:{n}]\n"
    ),
    "hash": (
        "import hashlib\ndef {verb}_{word}(text):\n"
        "    return hashlib.sha256(text.encode()).hexdigest()[:{n}]\n"
    ),
    "operator for sorting": (
        "import operator\ndef {verb}_{word}({word}):\n"
        "    return sorted({word}, key=operator.itemgetter({n}))\n"
    ),
    "version control status": (
        "import subprocess\ndef {verb}_{word}():\n"
        "    return subprocess.run(['git', 'status'], capture_output=True)\n"
    ),
    "compress": (
        "import zlib\ndef {verb}_{word}(data):\n    return len(zlib.compress(data)) < {n}\n"
    ),
}


def generate_lookalikes(seed: int, count: int, *, held_out: bool) -> list[Sample]:
    """Harmless programs, templates in turn; held-out ones share no template with the others."""
    templates = list((HELD_OUT if held_out else TRAINING).items())
    random = Random(derive(seed, "lookalikes", "held out" if held_out else "training"))
    samples = []
    for turn in range(count):
        name, template = templates[turn % len(templates)]
        code = template.format(
            verb=random.choice(VERBS), word=random.choice(WORDS), n=random.randrange(2, 50)
        )
        samples.append(Sample(code, frozenset(), name))
    return samples
