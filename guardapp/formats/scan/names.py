"""Which names a pickle may look up without doing harm, and what the others could do.

A name is allowed only as a whole, module and attribute: `torch` is no reason to allow `torch.hub.load`, and a dotted
attribute such as `_utils.os.system` is never on the list. Everything that is allowed builds plain data, whatever its
arguments are, given that every other name in the pickle is allowed too.
"""

from __future__ import annotations

import re
import sys
from typing import Final

from guardapp.formats.scan.findings import Level

_BUILTINS: Final = [
    "set",
    "frozenset",
    "list",
    "dict",
    "tuple",
    "int",
    "float",
    "bool",
    "str",
    "bytes",
    "bytearray",
    "complex",
    "slice",
    "range",
    "object",
    "long",
    "unicode",
]
_PYTHON: Final = {
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "collections": ["OrderedDict", "Counter", "defaultdict", "deque"],
    "copyreg": ["_reconstructor"],
    "copy_reg": ["_reconstructor"],
    "_codecs": ["encode"],
    "datetime": ["date", "datetime", "time", "timedelta", "timezone"],
    "decimal": ["Decimal"],
    "fractions": ["Fraction"],
    "uuid": ["UUID"],
    "argparse": ["Namespace"],
    "pathlib": ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"],
}
_DTYPES: Final = (
    r"(?:bool_?|u?int(?:8|16|32|64)?|float(?:16|32|64|128)?|complex(?:64|128)?|str_|bytes_|object_|longlong|void)"
)
_ALLOWED: Final = re.compile(
    r"torch (?:(?:Float|Double|Half|BFloat16|Long|Int|Short|Char|Byte|Bool|ComplexFloat|ComplexDouble|QInt8"
    r"|QUInt8|QInt32)"
    r"(?:Storage|Tensor)|Tensor|Size|device|dtype|"
    r"(?:bool|uint(?:8|16|32|64)|int(?:8|16|32|64)|q?u?int(?:8|32)|b?float16|float(?:32|64)|float8_\w+|complex(?:32|64|128)"
    r"|half|float|double|long|int|short|strided|contiguous_format|channels_last|per_tensor_affine|per_channel_affine))"
    r"|torch\.storage (?:UntypedStorage|TypedStorage|_TypedStorage|_UntypedStorage)"
    r"|torch\._utils _rebuild_(?:tensor|tensor_v2|tensor_v3|parameter|parameter_with_state|qtensor|sparse_tensor"
    r"|sparse_csr_tensor|meta_tensor_no_storage|device_tensor_from_numpy)"
    r"|torch\._tensor _rebuild_from_type_v2"
    r"|torch\.nn\.parameter (?:Parameter|Buffer)"
    r"|torch\.serialization _get_layout"
    r"|numpy\.(?:_core|core)\.multiarray (?:_reconstruct|scalar)"
    r"|numpy\.(?:_core|core)\.numeric _frombuffer"
    rf"|numpy (?:ndarray|dtype|{_DTYPES})"
    r"|numpy\.dtypes [A-Z][A-Za-z0-9]*DType"
    r"|joblib\.numpy_pickle NumpyArrayWrapper"
)
_CLASSES_WITH_CODE: Final = re.compile(r"torch\.nn\.modules\.\w+ [A-Z]\w*")

_KNOWN_ROOTS: Final = frozenset(sys.stdlib_module_names) | frozenset(
    [
        "__builtin__",
        "__main__",
        "copy_reg",
        "commands",
        "urllib2",
        "httplib",
        "Queue",
        "cPickle",
        "cStringIO",
        "exceptions",
        "pip",
        "setuptools",
        "pkg_resources",
        "distutils",
        "torch",
        "numpy",
        "joblib",
        "dill",
        "cloudpickle",
        "pandas",
        "scipy",
        "sklearn",
        "requests",
        "aiohttp",
        "keras",
        "tensorflow",
        "onnx",
        "jinja2",
        "IPython",
        "pytest",
        "_pytest",
        "lib2to3",
        "idlelib",
        "asyncore",
        "imp",
        "win32api",
        "nt",
        "posix",
        "paramiko",
        "fabric",
        "invoke",
        "sympy",
        "networkx",
        "torchvision",
        "transformers",
        "doctest",
        "triton",
        "django",
        "flask",
        "twisted",
        "pexpect",
        "psutil",
    ]
)

_PROGRAMS: Final = [
    "os",
    "posix",
    "nt",
    "subprocess",
    "pty",
    "commands",
    "popen2",
    "_posixsubprocess",
    "multiprocessing",
    "asyncio",
    "webbrowser",
    "antigravity",
    "pydoc",
    "venv",
    "ensurepip",
    "pip",
    "setuptools",
    "distutils",
    "idlelib",
    "pexpect",
    "platform",
    "ctypes",
]
_NETWORK: Final = [
    "socket",
    "ssl",
    "http",
    "urllib",
    "urllib2",
    "httplib",
    "requests",
    "aiohttp",
    "ftplib",
    "smtplib",
    "poplib",
    "imaplib",
    "telnetlib",
    "paramiko",
    "socketserver",
    "xmlrpc",
    "wsgiref",
]
_FILES: Final = [
    "shutil",
    "io",
    "tempfile",
    "fileinput",
    "glob",
    "zipfile",
    "tarfile",
    "linecache",
    "mmap",
    "dbm",
    "shelve",
    "sqlite3",
]
_READERS: Final = ["pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"]


def allowed(module: str, name: str) -> bool:
    """Whether looking up and calling `name` in `module` does no harm."""
    return name in _PYTHON.get(module, ()) or _ALLOWED.fullmatch(f"{module} {name}") is not None


def level(module: str, name: str) -> Level:
    """Of a name that is not allowed: unsafe in the standard library and in known packages, else not known."""
    if _CLASSES_WITH_CODE.fullmatch(f"{module} {name}"):
        return "unknown"
    return "unsafe" if module.partition(".")[0] in _KNOWN_ROOTS else "unknown"


def could(module: str, name: str) -> str:
    """What a call of a name that is not allowed could do."""
    root = module.partition(".")[0]
    if root in _PROGRAMS:
        return "It could run any program."
    if root in _NETWORK:
        return "It could send or fetch data over the network."
    if root in _FILES:
        return "It could read, write or delete files."
    if root in _READERS:
        return "It could load another pickle, which nobody has checked."
    if root in _KNOWN_ROOTS:
        return "It could run any code."
    return "It could run what that package does, which is not known here."
