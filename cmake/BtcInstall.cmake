# `cmake --install build/release --prefix P`: P/bin with the programs and P/lib/btc with the parts of
# LibTorch they load, in the layout that libtorch_cpu.so expects (its run path leads to
# ../../nvidia), P/share/btc_pipeline with the presets. So P works without the source tree; everything else comes from system packages.
set(_btc_programs)
foreach(program btc_pipeline btc)
  if(TARGET ${program})
    list(APPEND _btc_programs ${program})
  endif()
endforeach()
if(_btc_programs)
  set_target_properties(${_btc_programs} PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/btc/torch/lib")
  install(TARGETS ${_btc_programs} RUNTIME DESTINATION bin)
  get_filename_component(_torch_lib ${LibTorch_CPU_LIBRARY} DIRECTORY)
  get_filename_component(_cuda_lib ${LibTorch_CUDART_LIBRARY} DIRECTORY)
  file(GLOB _gomp ${_torch_lib}/libgomp*.so*)
  install(FILES ${LibTorch_CPU_LIBRARY} ${LibTorch_C10_LIBRARY} ${_gomp} DESTINATION lib/btc/torch/lib)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs/presets DESTINATION share/btc_pipeline)
  install(FILES ${LibTorch_CUDART_LIBRARY} ${LibTorch_CUPTI_LIBRARY} DESTINATION lib/btc/nvidia/cu13/lib)
endif()
