from powerfill.run.v1 import preflight_pb2 as pb

from services.run_service.domain.findings import Code, Finding, Severity
from services.run_service.rpc.mapping.findings import finding_to_proto
from shared.rpc.values import enum_words


def test_severities_are_the_same_in_the_contract_and_in_the_domain() -> None:
    assert list(enum_words(pb.Severity.DESCRIPTOR).values()) == list(Severity)


def test_a_finding() -> None:
    finding = Finding(Code.CONSTRAINTS, Severity.ERROR, "constraint C1", "unknown rule", 1, ("C1",), "create the rule")
    assert finding_to_proto(finding) == pb.Finding(
        code="CONSTRAINTS",
        severity=pb.SEVERITY_ERROR,
        subject="constraint C1",
        message="unknown rule",
        count=1,
        examples=["C1"],
        remedy="create the rule",
    )
