-- SPDX-License-Identifier: GPL-2.0-or-later
CREATE VIEW exits AS
SELECT e.id, e.vcpu, round(e.time_ns / 1e6, 3) AS time_ms, x.name AS reason,
  iif(e.rip IS NULL, NULL, printf('0x%x', e.rip)) AS rip_hex, i.text AS insn, e.rip, e.run
FROM exit e
LEFT JOIN exit_reason x ON x.reason = e.reason & 0xffff
LEFT JOIN insn i ON i.id = e.insn;
