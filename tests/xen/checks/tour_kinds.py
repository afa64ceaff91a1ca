#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of exit that `tour` visits is in its recording, with its operands decoded.

tour_kinds.py XENREWIND RECORDING.  The kinds and their number are those of tests/guests/README.md; the
operands are what the guest's source says it does.
"""
import json
import re
import subprocess
import sys

NOTHING = r""
# reason -> (number, pattern that at least one must match in full, operands of all must match this one)
VMX = {
    "APIC_ACCESS": (12, r"APIC write offset 0xb0 \(EOI\)", r"APIC (read|write) offset 0x[0-9a-f]+ \(.+\)"),
    "CPUID": (24, r"CPUID leaf 0x0 subleaf 0x0 -> eax 0xd ebx 0x756e6547 ecx 0x6c65746e edx 0x49656e69", r"CPUID leaf 0x.* -> .*"),
    "CR_ACCESS": (8, r"cr4 = 0x20 \(rax\)", r".+"),
    "DR_ACCESS": (10, r"dr0 = 0x1000 \(rax\)", r"(dr[0367] = 0x|read dr[0367] into ).*"),
    # 35 before the guest had spin-two. Since then its text has a third page besides that of `fetched_function`, and
    # `traps` begins on a page behind that of `tour_result`, which is first read and then written. The embedded engine
    # counts the same for either guest.
    "EPT_VIOLATION": (38, r"EPT fetch gpa 0x10f000 gla 0xffffffff8010f000 not present", r"EPT (read |write |fetch )+.*gpa 0x.*"),
    "EXCEPTION_NMI": (6, r"exception vector 17 \(#AC\) error 0x0", r".*vector (1 \(#DB\)|17 \(#AC\)).*"),
    "HLT": (1, r"HLT with interrupts on", r".+"),
    "INVD": (1, NOTHING, NOTHING),
    "INVEPT": (1, r"INVEPT type 0x1 address 0x.*", r".+"),
    "INVVPID": (1, r"INVVPID type 0x1 address 0x.*", r".+"),
    "IO_INSTRUCTION": (28, r"OUT port 0x1234 size 4 value 0x77777777", r"(REP )?(IN|OUT)S? port 0x[0-9a-f]+ size [124].*"),
    "MONITOR_INSTRUCTION": (1, r"MONITOR address 0x.*", r".+"),
    "MSR_READ": (7, r"RDMSR 0x1b \(IA32_APIC_BASE\) -> 0xfee00900", r"RDMSR 0x.*"),
    "MSR_WRITE": (6, r"WRMSR 0xc0000080 \(IA32_EFER\) = 0x501.*", r"WRMSR 0x.* = 0x.*"),
    "MWAIT_INSTRUCTION": (1, r"MWAIT .*", r".+"),
    "PAUSE_INSTRUCTION": (1, NOTHING, NOTHING),
    "RDTSC": (1, r"-> 0x[0-9a-f]+", r".+"),
    "RDTSCP": (1, r"-> 0x[0-9a-f]+ aux 0x0", r".+"),
    "TASK_SWITCH": (2, r"task switch to TSS 0x38 by CALL", r"task switch to TSS 0x.* by .*"),
    "TPR_BELOW_THRESHOLD": (1, NOTHING, NOTHING),
    "VMCALL": (6, r"hypercall 0x11 \(xen_version\) args 0x0, .* -> 0x400(0e|11)", r"hypercall 0x.* args .*"),
    "VMCLEAR": (1, r"VMCLEAR address 0x.*", r".+"),
    "VMLAUNCH": (1, r".*", r".*"),
    "VMPTRLD": (1, r"VMPTRLD address 0x.*", r".+"),
    "VMPTRST": (1, r"VMPTRST address 0x.*", r".+"),
    "VMREAD": (1, r"VMREAD field 0x0 address 0x.*", r".+"),
    "VMRESUME": (1, r".*", r".*"),
    "VMWRITE": (1, r"VMWRITE field 0x0 address 0x.*", r".+"),
    "VMXOFF": (1, r".*", r".*"),
    "VMXON": (1, r"VMXON address 0x.*", r".+"),
    "WBINVD": (1, NOTHING, NOTHING),
    "XSETBV": (2, r"XSETBV xcr 0x0 = 0x7", r"XSETBV xcr 0x0 = 0x.*"),
}
# The last forms of INS and OUTS, of EPT violations: each must occur.
VMX_ALSO = {
    "IO_INSTRUCTION": [r"REP INS port .*", r"INS port .*", r"REP OUTS port .*", r"OUTS port .*", r"IN port .* -> .*"],
    "EPT_VIOLATION": [r"EPT read .*", r"EPT write .*", r"EPT fetch .*", r".*\(page walk\).*", r"EPT write .* entry r-x.*"],
    "CR_ACCESS": [r"CLTS.*", r"LMSW.*", r"cr0 = .*"],
    "DR_ACCESS": [r"read dr6 into .*", r"dr7 = .*"],
}
# Only these may be missing or vary: they are driven by the host's clock.
VMX_VARYING = {"EXTERNAL_INTERRUPT", "PENDING_VIRT_INTR", "PENDING_VIRT_NMI", "PAUSE_INSTRUCTION", "DR_ACCESS"}

UNDONE = r" -> not completed"
SVM = {
    "CPUID": (24, r"CPUID leaf 0x0 subleaf 0x0 -> eax 0xd ebx 0x68747541 ecx 0x444d4163 edx 0x69746e65", r"CPUID leaf 0x.* -> .*"),
    "CR0_READ": (8, r"read cr0.*", r"read cr0.*"),
    "CR0_WRITE": (6, r"(write cr0|cr0 = .*)", r"(write cr0|cr0 = .*)"),
    "CR4_READ": (5, r"read cr4.*", r"read cr4.*"),
    "CR4_WRITE": (3, r"(write cr4|cr4 = .*)", r"(write cr4|cr4 = .*)"),
    "DR0_READ": (1, r"read dr0", r".+"),
    "DR0_WRITE": (1, r"write dr0", r".+"),
    "DR3_READ": (1, r"read dr3", r".+"),
    "DR3_WRITE": (1, r"write dr3", r".+"),
    "DR6_READ": (3, r"read dr6", r".+"),
    "DR7_WRITE": (1, r"write dr7", r".+"),
    "CLGI": (1, NOTHING, NOTHING),
    "EXCEPTION_AC": (1, r"exception vector 17 \(#AC\) error 0x0", r".+"),
    "EXCEPTION_DB": (3, r"exception vector 1 \(#DB\)", r".+"),
    "HLT": (1, r"HLT with interrupts on", r".+"),
    "ICEBP": (1, NOTHING, NOTHING),
    "INVD": (1, NOTHING, NOTHING),
    "INVLPGA": (1, r"INVLPGA address 0x0 asid 0x0" + UNDONE, r".+"),
    "IOIO": (28, r"OUT port 0x1234 size 4 value 0x77777777", r"(REP )?(IN|OUT)S? port 0x[0-9a-f]+ size [124].*"),
    "MONITOR": (1, r"MONITOR address 0x.*" + UNDONE, r".+"),
    "MSR": (14, r"RDMSR 0x1b \(IA32_APIC_BASE\) -> 0xfee00900", r"(RDMSR 0x.* -> .*|WRMSR 0x.* = 0x.*)"),
    "MWAIT": (1, r"MWAIT hint 0x0" + UNDONE, r".+"),
    "NPF": (50, r"NPF fetch gpa 0x10f000 not present", r"NPF (read|write|fetch) gpa 0x.* (not )?present.*"),
    "RDTSC": (1, r"-> 0x[0-9a-f]+", r".+"),
    "RDTSCP": (1, r"-> 0x[0-9a-f]+ aux 0x0", r".+"),
    "SKINIT": (1, NOTHING, NOTHING),
    "STGI": (1, NOTHING, NOTHING),
    "TASK_SWITCH": (2, r"task switch to TSS 0x38 by CALL", r"task switch to TSS 0x.* by .*"),
    "VMLOAD": (1, r"vmcb 0x0" + UNDONE, r".+"),
    "VMMCALL": (6, r"hypercall 0x11 \(xen_version\) args 0x0, .* -> 0x400(0e|11)", r"hypercall 0x.* args .*"),
    "VMRUN": (1, r"vmcb 0x0" + UNDONE, r".+"),
    "VMSAVE": (1, r"vmcb 0x0" + UNDONE, r".+"),
    "WBINVD": (1, NOTHING, NOTHING),
    "XSETBV": (2, r"XSETBV xcr 0x0 = 0x7", r"XSETBV xcr 0x0 = 0x.*"),
}
SVM_ALSO = {
    "IOIO": VMX_ALSO["IO_INSTRUCTION"],
    "MSR": [r"WRMSR 0xc0000080 \(IA32_EFER\) = 0x501", r"RDMSR 0x12345" + UNDONE],
    "NPF": [r"NPF read .*", r"NPF write .* present", r".*\(page walk\).*", r".*, while delivering exception vector 1 \(#DB\)"],
    "TASK_SWITCH": [r"task switch to TSS 0x30 by IRET"],
}
# IRET: the end of an NMI handler, when another NMI waits for it.
SVM_VARYING = {"INTR", "VINTR", "IRET", "PAUSE"} | {name for name in SVM if name.startswith("DR")}


def main(program, recording):
    output = subprocess.run([program, "exits", "--host", "--json", recording], check=True, capture_output=True, text=True).stdout
    seen = {}
    for line in output.splitlines():
        exit_ = json.loads(line)
        seen.setdefault(exit_["reason"], []).append(exit_.get("operands", ""))
    wrong = []
    expected, also, varying = (SVM, SVM_ALSO, SVM_VARYING) if "NPF" in seen else (VMX, VMX_ALSO, VMX_VARYING)
    for reason, (count, one, every) in expected.items():
        operands = seen.get(reason, [])
        if len(operands) != count and reason not in varying:
            wrong.append(f"{reason}: {len(operands)} instead of {count}")
        for pattern in [one, *also.get(reason, [])]:
            if operands and not any(re.fullmatch(pattern, text) for text in operands):
                wrong.append(f"{reason}: none reads '{pattern}' but: {operands}")
        wrong += [f"{reason}: '{text}'" for text in operands if not re.fullmatch(every, text)]
    wrong += [f"{reason}: not expected" for reason in seen if reason not in expected and reason not in varying]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(expected)} kinds of exit, {sum(map(len, seen.values()))} exits, operands decoded")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
