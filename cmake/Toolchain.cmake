# Warnings, sanitizers, ccache and a fast linker where the machine has them.
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  # A precompiled header defeats ccache unless it is told what may differ.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      # Another clone of the same sources finds what this one compiled.
      CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

find_program(MOLD mold)
find_program(LLD NAMES ld.lld ld.lld-16)
if(MOLD)
  add_link_options(-fuse-ld=mold)
elseif(LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -fno-omit-frame-pointer)
if(LOGFLUME_WERROR)
  add_compile_options(-Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports std::string and std::optional moves falsely at -O2 (bugs 105329, 80635),
  # and cannot be silenced at one place.
  add_compile_options(-Wno-restrict -Wno-maybe-uninitialized -fpch-preprocess)
endif()
if(LOGFLUME_SANITIZE)
  # -O0 -g1: half the time to compile, and the tests wait more than they compute.
  add_compile_options(-fsanitize=${LOGFLUME_SANITIZE} -fno-sanitize-recover=all -O0 -g1)
  add_link_options(-fsanitize=${LOGFLUME_SANITIZE})
  if(LOGFLUME_SANITIZE MATCHES undefined)
    # The check of vtables opens a pipe to look at the object: it aborts where no descriptor is left, which is
    # what some tests are about.
    add_compile_options(-fno-sanitize=vptr)
  endif()
  if(LOGFLUME_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # atomic_thread_fence is not modelled; uses are reviewed by hand
  endif()
endif()
if(LOGFLUME_FUZZ)
  # Coverage in the libraries too; each fuzzer links the engine itself (fuzz/CMakeLists.txt).
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "LOGFLUME_FUZZ needs clang: cmake --preset fuzz")
  endif()
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_compile_definitions(LOGFLUME_VERSION="${PROJECT_VERSION}")
include_directories(${PROJECT_SOURCE_DIR}/src)
