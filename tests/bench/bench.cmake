# SPDX-License-Identifier: GPL-2.0-or-later
# xenrewind_add_bench(NAME TARGET [ARGUMENTS...]): the program TARGET, a CMake target or a path, is the
# benchmark NAME of `./run bench`.
# It prints one JSON object a line (tests/bench/bench.h).
set_property(GLOBAL PROPERTY XENREWIND_BENCHES "")
function(xenrewind_add_bench name target)
  list(JOIN ARGN " " arguments)
  if(TARGET ${target})
    set(target $<TARGET_FILE:${target}>)
  endif()
  set_property(GLOBAL APPEND PROPERTY XENREWIND_BENCHES "${name} ${target} ${arguments}")
endfunction()
