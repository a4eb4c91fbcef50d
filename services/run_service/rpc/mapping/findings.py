"""What a preflight check found, to powerfill.run.v1.Finding."""

from powerfill.run.v1 import preflight_pb2

from services.run_service.domain.findings import Finding
from shared.rpc.values import enum_numbers

_SEVERITY_NUMBERS = enum_numbers(preflight_pb2.Severity.DESCRIPTOR)


def finding_to_proto(finding: Finding) -> preflight_pb2.Finding:
    """One finding."""
    return preflight_pb2.Finding(
        code=finding.code,
        severity=preflight_pb2.Severity.ValueType(_SEVERITY_NUMBERS[finding.severity]),
        subject=finding.subject,
        message=finding.message,
        count=finding.count,
        examples=finding.examples,
        remedy=finding.remedy,
    )
