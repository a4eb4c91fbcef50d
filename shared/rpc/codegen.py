"""Generates the Python code of the protobuf contract into shared/gen: `python -m shared.rpc.codegen [--check]`.

Messages and services come from grpc_tools, their stubs from mypy-protobuf; google.type and google.protobuf are not
generated, they come with their own distributions. The result depends on `protos/` and the pinned tools alone.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository: `protos/`, `third_party/googleapis/` and `shared/gen/` are below it."""

_PACKAGE_INIT = b'"""Generated from protos/ by shared.rpc.codegen; do not edit."""\n'
_HAS_SERVICE = re.compile(r"^service\s+\w+", re.MULTILINE)
# Stubs leave RPCs concrete, as the generated classes do: a servicer may inherit the ones that are not built yet.
_STUB_OPTIONS = "quiet,readable_stubs,generate_concrete_servicer_stubs"


class CodegenError(RuntimeError):
    """protoc refused the contract; the message is what protoc wrote."""


def proto_files(root: Path = ROOT) -> list[str]:
    """Every file of the contract, as protoc names it (`powerfill/run/v1/run.proto`), sorted."""
    protos = root / "protos"
    return sorted(path.relative_to(protos).as_posix() for path in protos.rglob("*.proto"))


def generate(root: Path = ROOT) -> dict[str, bytes]:
    """Every generated file by its path below shared/gen.

    Raises:
        CodegenError: protoc refused the contract.
    """
    files = proto_files(root)
    with_service = [name for name in files if _HAS_SERVICE.search((root / "protos" / name).read_text(encoding="utf-8"))]
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory)
        _protoc(root, files, [f"--python_out={out}", f"--mypy_out={_STUB_OPTIONS}:{out}"])
        _protoc(root, with_service, [f"--grpc_python_out={out}", f"--mypy_grpc_out={_STUB_OPTIONS}:{out}"])
        generated = read_tree(out)
    packages = {parent for name in files for parent in Path(name).parents if parent != Path()}
    generated.update({(package / "__init__.py").as_posix(): _PACKAGE_INIT for package in packages})
    generated.update({(package / "py.typed").as_posix(): b"" for package in packages if package.parent == Path()})
    return dict(sorted(generated.items()))


def read_tree(directory: Path) -> dict[str, bytes]:
    """Every file below a directory by its relative path, without byte code; empty if there is no such directory."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def differing(expected: Mapping[str, bytes], actual: Mapping[str, bytes]) -> list[str]:
    """The paths that only one of the two has, or that have other content, sorted."""
    return sorted(path for path in expected.keys() | actual.keys() if expected.get(path) != actual.get(path))


def write_tree(directory: Path, files: Mapping[str, bytes]) -> list[str]:
    """Make a directory hold exactly these files; gives the paths that were written or removed."""
    changed = differing(files, read_tree(directory))
    for name in changed:
        path = directory / name
        if name in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(files[name])
        else:
            path.unlink()
    return changed


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command: 0 when shared/gen agrees with the contract (or was made to), 1 when --check found a difference."""
    parser = argparse.ArgumentParser("python -m shared.rpc.codegen", description="Generate shared/gen from protos/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 naming the files that differ")
    options = parser.parse_args(arguments)
    target = root / "shared" / "gen"
    try:
        files = generate(root)
    except CodegenError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.check:
        sys.stdout.write(f"shared/gen: {len(files)} files, {len(write_tree(target, files))} changed\n")
        return 0
    stale = differing(files, read_tree(target))
    for name in stale:
        sys.stderr.write(f"shared/gen/{name} differs from what protos/ gives\n")
    if stale:
        sys.stderr.write("run `python -m shared.rpc.codegen` and commit the result\n")
    return 1 if stale else 0


def _protoc(root: Path, files: Sequence[str], outputs: Sequence[str]) -> None:
    """Run protoc (which finds google.protobuf itself) with the plugins of this interpreter's environment."""
    scripts = Path(sys.executable).parent
    plugins = [f"--plugin={name}={scripts / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")]
    includes = ["-I", "protos", "-I", "third_party/googleapis"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *includes, *plugins, *outputs, *files]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 (no shell)
    if result.returncode != 0:
        raise CodegenError(f"protoc failed:\n{result.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
