# Compile options of this project's own targets (not of foreign headers, which are SYSTEM includes).
add_library(btc-options INTERFACE)
target_compile_options(btc-options INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-march=${BTC_ARCH}>
  # Products and sums are never fused behind our back: the packed bytes depend on them.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>
  $<$<COMPILE_LANGUAGE:CXX>:-Wall> $<$<COMPILE_LANGUAGE:CXX>:-Wextra> $<$<COMPILE_LANGUAGE:CXX>:-Wpedantic>
  $<$<COMPILE_LANGUAGE:CXX>:-Wshadow> $<$<COMPILE_LANGUAGE:CXX>:-Wconversion>
  $<$<COMPILE_LANGUAGE:CXX>:-Wsign-conversion> $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>
  # g++ 12 at -O2 warns falsely about "literal" + std::to_string(..).
  $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>)
# Only with the compiler version that the code is kept clean for: newer ones find more to say.
if(BTC_WERROR AND CMAKE_CXX_COMPILER_ID STREQUAL GNU
   AND CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  message(STATUS "Warnings are not errors: this is g++ ${CMAKE_CXX_COMPILER_VERSION}, not 12")
elseif(BTC_WERROR)
  target_compile_options(btc-options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()
if(BTC_SANITIZE)
  set(_btc_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(btc-options INTERFACE ${_btc_sanitize})
  target_link_options(btc-options INTERFACE ${_btc_sanitize})
  # g++ warns falsely about shifts that its own instrumentation rewrote; the dev preset has the say.
  target_compile_options(btc-options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-sign-conversion>)
endif()
if(BTC_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    message(FATAL_ERROR "BTC_FUZZ needs clang, whose runtime libFuzzer is; this is ${CMAKE_CXX_COMPILER_ID}")
  endif()
  set(_btc_fuzz -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(btc-options INTERFACE ${_btc_fuzz} -Wno-sign-conversion)
  target_link_options(btc-options INTERFACE ${_btc_fuzz})
endif()
