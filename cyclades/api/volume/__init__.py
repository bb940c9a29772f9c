"""The volume dialects: Synnefo's v2 and Cinder's v3."""
