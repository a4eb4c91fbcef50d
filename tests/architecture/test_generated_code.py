"""shared/gen is exactly what protos/ gives, and the check that says so notices when it is not."""

import importlib
import shutil
from pathlib import Path

import pytest

from shared.rpc import codegen

GEN = codegen.ROOT / "shared" / "gen"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of the contract with the code committed for it."""
    for name in ("protos", "third_party", "shared/gen"):
        shutil.copytree(codegen.ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_committed_code_is_what_the_contract_gives() -> None:
    """Generating again changes no file, adds none and leaves none over."""
    assert codegen.differing(codegen.generate(), codegen.read_tree(GEN)) == []


@pytest.mark.parametrize("name", codegen.proto_files())
def test_every_proto_file_has_its_module(name: str) -> None:
    """A file of the contract can be imported as its package says, with every service's servicer and stub."""
    module_name = name.removesuffix(".proto").replace("/", ".")
    descriptor = importlib.import_module(f"{module_name}_pb2").DESCRIPTOR
    assert descriptor.name == name
    assert descriptor.package == module_name.rpartition(".")[0]
    for service, rpcs in descriptor.services_by_name.items():
        module = importlib.import_module(f"{module_name}_pb2_grpc")
        assert hasattr(module, f"{service}Stub")
        assert {rpc.name for rpc in rpcs.methods} <= set(vars(getattr(module, f"{service}Servicer")))


def test_only_powerfill_is_generated() -> None:
    """google.type comes with googleapis-common-protos; a second copy would be refused by the descriptor pool."""
    assert {path.name for path in GEN.iterdir() if path.name != "__pycache__"} == {"powerfill"}


def test_generation_is_reproducible() -> None:
    """Two generations agree to the byte."""
    assert codegen.generate() == codegen.generate()


def test_check_accepts_agreement(repository: Path) -> None:
    """--check of an unchanged copy ends with 0."""
    assert codegen.main(["--check"], repository) == 0


def test_check_names_the_files_of_a_changed_message(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field added to one file: --check ends with 1, names its module and stub alone, and writes nothing."""
    proto = repository / "protos/powerfill/report/v1/run_log.proto"
    last_field = "  repeated string examples = 8;\n"
    text = proto.read_text(encoding="utf-8")
    assert last_field in text
    proto.write_text(text.replace(last_field, f"{last_field}  string added = 9;\n"), encoding="utf-8")
    before = codegen.read_tree(repository / "shared/gen")

    assert codegen.main(["--check"], repository) == 1

    named = [line.split()[0] for line in capsys.readouterr().err.splitlines() if " differs " in line]
    assert named == [f"shared/gen/powerfill/report/v1/run_log_pb2.{end}" for end in ("py", "pyi")]
    assert codegen.read_tree(repository / "shared/gen") == before


def test_generating_removes_what_no_proto_gives(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A module without a proto file and an edited one: --check names both, generating puts them right."""
    left_over = repository / "shared/gen/powerfill/run/v1/gone_pb2.py"
    left_over.write_text("", encoding="utf-8")
    edited = repository / "shared/gen/powerfill/run/v1/run_pb2.pyi"
    edited.write_text(edited.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    assert codegen.main(["--check"], repository) == 1
    named = capsys.readouterr().err
    assert "run/v1/gone_pb2.py differs" in named
    assert "run/v1/run_pb2.pyi differs" in named

    assert codegen.main([], repository) == 0
    assert not left_over.exists()
    assert codegen.main(["--check"], repository) == 0


def test_a_contract_that_does_not_parse_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Protoc's own message names file and line; the committed code stays as it is."""
    (repository / "protos/powerfill/run/v1/run.proto").write_text('syntax = "proto3";\nmessage {\n', encoding="utf-8")
    before = codegen.read_tree(repository / "shared/gen")

    assert codegen.main([], repository) == 1

    assert "powerfill/run/v1/run.proto:2:9" in capsys.readouterr().err
    assert codegen.read_tree(repository / "shared/gen") == before
