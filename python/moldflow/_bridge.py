"""Calls functions of the user, one request after another.

Standard input is a socket with a line of JSON for each request and each answer. Nothing else is
written to it: what functions print goes to two files in the directory of the call.

moldflow has this text built in and runs it with `python -c`; the package calls functions by it too.
"""
import importlib, importlib.abc, importlib.util, json, linecache, math, os, socket, sys, traceback


class Modules(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Modules whose text came with the first request."""

    def __init__(self, modules):
        self.modules = modules

    def find_spec(self, name, path=None, target=None):
        if name not in self.modules:
            return None
        file = self.modules[name]["file"]
        package = os.path.basename(file) == "__init__.py"
        spec = importlib.util.spec_from_loader(name, self, origin=file, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def is_package(self, name):
        return os.path.basename(self.modules[name]["file"]) == "__init__.py"

    def get_filename(self, name):
        return self.modules[name]["file"]

    def get_source(self, name):
        return self.modules[name]["text"]

    def exec_module(self, module):
        file, text = (self.modules[module.__name__][key] for key in ("file", "text"))
        # The lines of a traceback: the file may have changed since.
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        exec(compile(text, file, "exec"), module.__dict__)


def plain(value):
    """The value in types of JSON: numbers of other libraries, their arrays, tuples."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if hasattr(value, "__float__"):
        return plain(float(value))
    raise TypeError(f"the function returned a {type(value).__name__}, which JSON cannot hold")


def function(name):
    """The function `module:function`, and the error if it cannot be had."""
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"`{name}` is no function")
    return found


def told(error):
    """An error and its traceback, without the lines of this program."""
    frames = traceback.extract_tb(error.__traceback__)
    own = ("<string>", importlib.__file__, "<frozen importlib._bootstrap>",
           "<frozen importlib._bootstrap_external>")
    frames = [frame for frame in frames if frame.filename not in own]
    what = "".join(traceback.format_exception_only(type(error), error)).strip()
    where = "".join(traceback.format_list(frames)).rstrip()
    return f"{what}\nTraceback (most recent call last):\n{where}" if frames else what


def kind(error):
    names = {base.__name__ for base in type(error).__mro__}
    for name, word in (("UnsupportedMolecule", "unsupported"), ("NotConverged", "not_converged"),
                       ("MemoryError", "memory")):
        if name in names:
            return word
    return "raised"


def answer(request):
    try:
        called = function(request["call"])
    except BaseException as error:
        return {"error": "load", "message": told(error)}
    if request.get("only_load"):
        return {"returned": None}
    try:
        returned = called(*request["input"], **request["arguments"])
    except BaseException as error:
        return {"error": kind(error), "message": told(error)}
    try:
        return {"returned": plain(returned)}
    except BaseException as error:
        return {"error": "answer", "message": str(error)}


def redirect(directory):
    """Sends what is printed to files in a directory."""
    for number, name in ((1, "program.out"), (2, "program.err")):
        file = os.open(os.path.join(directory, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.chdir(directory)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass


def serve():
    own = os.getpid()
    channel = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    lines = channel.makefile("rb")
    first = json.loads(lines.readline())
    sys.path[:] = [*first["path"], *(entry for entry in sys.path if entry)]
    sys.meta_path.insert(0, Modules(first["modules"]))
    sys.argv = ["moldflow"]
    for line in lines:
        request = json.loads(line)
        redirect(request["directory"])
        reply = answer(request)
        flush()
        if os.getpid() != own:
            # The function returned in a process that it had forked.
            os._exit(0)
        reply["id"] = request["id"]
        channel.sendall(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    serve()
