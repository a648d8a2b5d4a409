"""What libraries do, as data: one TOML file a library, read into one index.

The format is `mainstay.model.library`; nothing here runs code of a library or of a reviewed project.
"""

from mainstay.knowledge.load import Knowledge, KnowledgeError, load_knowledge

__all__ = ["Knowledge", "KnowledgeError", "load_knowledge"]
