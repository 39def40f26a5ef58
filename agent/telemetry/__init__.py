"""An OPC UA value becomes a stored value.

PLC → `opcua` (session) → `subscription` and `follow` (Publish, in order, acknowledged after storing) → `decode` →
`batch` → `Append`, the spool.
"""

from agent.telemetry.bridge import Append, Bridge

__all__ = ["Append", "Bridge"]
