# btc_add_module(NAME SOURCES a.cpp ... [MODULES common ...] [LIBRARIES Foo::Foo ...])
# One static library per folder of src/: target btc-NAME, alias btc::NAME.
# MODULES are linked PUBLIC (their headers may be included by ours); LIBRARIES are foreign and PRIVATE.
function(btc_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;MODULES;LIBRARIES" ${ARGN})
  add_library(btc-${name} STATIC ${ARG_SOURCES})
  add_library(btc::${name} ALIAS btc-${name})
  target_include_directories(btc-${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(btc-${name} PRIVATE btc-options ${ARG_LIBRARIES})
  foreach(module IN LISTS ARG_MODULES)
    target_link_libraries(btc-${name} PUBLIC btc::${module})
  endforeach()
endfunction()
