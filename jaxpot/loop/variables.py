"""What is decided on every flag of jax, and on other environment variables of what it uses.

jax reads each of its flags from an environment variable when it is imported: `jax_enable_x64` from
`JAX_ENABLE_X64`. A flag of a jax that is newer than these tables is left as it is.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

PINNED: Mapping[str, tuple[Any, str]] = MappingProxyType(
    {
        "jax_enable_x64": (False, "every number of a run has 32 bits"),
        "jax_disable_jit": (False, "programs are compiled before they are called"),
        "jax_no_tracing": (False, "programs are traced"),
        "jax_no_execution": (False, "programs are executed"),
        "jax_threefry_partitionable": (True, "the contract of the random numbers"),
        "jax_default_prng_impl": ("threefry2x32", "the contract of the random numbers"),
        "jax_enable_custom_prng": (False, "the contract of the random numbers"),
        "jax_random_seed_offset": (0, "the contract of the random numbers"),
        "jax_transfer_guard": (None, "the loop hands arrays to the device and fetches metrics"),
        "jax_transfer_guard_host_to_device": (None, "as jax_transfer_guard"),
        "jax_transfer_guard_device_to_host": (None, "as jax_transfer_guard"),
        "jax_transfer_guard_device_to_device": (None, "as jax_transfer_guard"),
    }
)
"""Flags that are set to one value, with the reason, whatever the environment or a program says."""

_EXPERIMENTS = "an experiment of jax that changes bits or does not compile every program"
_DEBUGGING = "it stops at what is no fault here: an infinite logit, a promoted rank, a used key"
_CACHING = "it can end a run over a file of the compilation cache"
_LATER = "it compiles a program again, or not to the end, after it has run"
_ELSEWHERE = "it pretends another machine"
_MESHES = "meshes of several devices, which no run has"

UNSET: Mapping[str, str] = MappingProxyType(
    {
        "jax_scan3": _EXPERIMENTS,
        "jax_remat3": _EXPERIMENTS,
        "jax_custom_vjp3": _EXPERIMENTS,
        "jax_use_emit_pipeline_primitive": _EXPERIMENTS,
        "jax_use_direct_linearize": _EXPERIMENTS,
        "jax_use_simplified_jaxpr_constants": _EXPERIMENTS,
        "jax_refs_to_pins": _EXPERIMENTS,
        "jax_softmax_custom_jvp": _EXPERIMENTS,
        "jax_high_dynamic_range_gumbel": _EXPERIMENTS,
        "eager_constant_folding": _EXPERIMENTS,
        "jax_legacy_prng_key": "jaxpot and the games use keys of both kinds",
        "jax_numpy_dtype_promotion": "types are promoted by jax's usual rules",
        "jax_explicit_x64_dtypes": "a game may name a 64-bit type and gets one of 32",
        "jax_allow_f16_reductions": "an error, or none; no bit",
        "jax_numpy_rank_promotion": _DEBUGGING,
        "jax_debug_nans": _DEBUGGING,
        "jax_debug_infs": _DEBUGGING,
        "jax_debug_key_reuse": _DEBUGGING,
        "jax_check_tracer_leaks": _DEBUGGING,
        "jax_check_static_indices": _DEBUGGING,
        "jax_error_checking_behavior_nan": _DEBUGGING,
        "jax_error_checking_behavior_divide": _DEBUGGING,
        "jax_error_checking_behavior_oob": _DEBUGGING,
        "jax_debug_leaked_clients_on_clear_backends": "it fails at the end of every process",
        "jax_array_garbage_collection_guard": _DEBUGGING,
        "jax_thread_guard": "checkpoints are written by a thread of their own",
        "jax_experimental_unsafe_xla_runtime_errors": _DEBUGGING,
        "jax_raise_persistent_cache_errors": _CACHING,
        "jax_compilation_cache_check_contents": _CACHING,
        "jax_compilation_cache_expect_pgle": _LATER,
        "jax_enable_pgle": _LATER,
        "jax_xla_backend": _ELSEWHERE,
        "jax_backend_target": _ELSEWHERE,
        "jax_mock_gpu_topology": _ELSEWHERE,
        "mock_num_gpu_processes": _ELSEWHERE,
        "check_vma": _MESHES,
        "jax_disable_bwd_checks": "it hides faults of a user's own part",
        "jax_disable_vmap_shmap_error": _MESHES,
    }
)
"""Flags whose environment variable is dropped, with the reason: jax's own default holds.

A program of one's own may set them all the same, by `jax.config.update`, to look for a fault.
"""

RECORDED: Mapping[str, Any] = MappingProxyType(
    {
        "jax_default_matmul_precision": None,
        "jax_default_device": None,
        "jax_disable_most_optimizations": False,
        "jax_optimization_level": "UNKNOWN",
        "jax_exec_time_optimization_effort": 0.0,
        "jax_memory_fitting_effort": 0.0,
        "jax_memory_fitting_level": "O2",
        "jax_compiler_enable_remat_pass": True,
        "jax_num_cpu_devices": -1,
        "jax_pjrt_client_create_options": None,
        "jax_threefry_gpu_kernel_lowering": False,
        "jax_bcoo_cusparse_lowering": False,
        "jax_ragged_dot_use_gpu_pallas_triton_lowering": False,
        "jax_ragged_dot_use_ragged_dot_instruction": True,
        "jax_pallas_use_mosaic_gpu": True,
        "jax_mosaic_allow_hlo": False,
        "jax_use_magma": "auto",
        "jax_use_shardy_partitioner": True,
        "jax_xla_profile_version": 0,
        "jax_cuda_visible_devices": "all",
        "jax_rocm_visible_devices": "all",
        "jax_oneapi_visible_devices": "all",
    }
)
"""Flags that may change bits and are the user's to set, with jax's defaults.

Those that are set otherwise are recorded; `resume` warns of a change, and `verify` sets them again.
"""

HARMLESS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "which device; its platform and kind are recorded": ("jax_platforms", "jax_platform_name"),
        "messages, tracebacks and dumps": (
            *("jax_captured_constants_report_frames", "jax_captured_constants_warn_bytes"),
            *("jax_compiler_detailed_logging_min_ops", "jax_debug_log_modules"),
            *("jax_distributed_debug", "jax_dump_ir_modes", "jax_dump_ir_to"),
            *("jax_explain_cache_misses", "jax_hlo_source_file_canonicalization_regex"),
            *("jax_include_debug_info_in_dumps", "jax_include_full_tracebacks_in_locations"),
            *("jax_log_checkpoint_residuals", "jax_log_compiles", "jax_logging_level"),
            *("jax_pallas_verbose_errors", "jax_pprint_use_color", "jax_send_traceback_to_runtime"),
            *("jax_source_url_schema", "jax_traceback_filtering"),
            *("jax_traceback_in_locations_limit", "jax_tracer_error_num_traceback_frames"),
        ),
        "checks that cost time and find faults of jax": (
            *("jax_enable_checks", "jax_mutable_array_checks", "jax_pallas_enable_debug_checks"),
            "jax_pallas_poison_buffers",
        ),
        "where compiled programs are kept": (
            *("jax_compilation_cache_dir", "jax_compilation_cache_include_metadata_in_key"),
            *("jax_compilation_cache_max_size", "jax_enable_compilation_cache"),
            *(
                "jax_persistent_cache_enable_xla_caches",
                "jax_persistent_cache_min_entry_size_bytes",
            ),
            *("jax_persistent_cache_min_compile_time_secs", "jax_pgle_aggregation_percentile"),
            *("jax_pgle_profiling_runs", "jax_remove_custom_partitioning_ptr_from_cache_key"),
        ),
        "how constants reach a program": ("jax_embedded_constants_max_bytes",),
        "when work is handed to the CPU": ("jax_cpu_enable_async_dispatch",),
        "several hosts or meshes, which no run has": (
            *("jax_auto_pcast", "jax_check_proxy_envs", "jax_cpu_collectives_implementation"),
            *("jax_cpu_get_global_topology_timeout_minutes", "jax_enable_preemption_service"),
            *("jax_cpu_get_local_topology_timeout_minutes", "jax_enable_recoverability"),
            *("jax_cross_host_transfer_socket_address", "jax_cross_host_transfer_transfer_size"),
            *("jax_cross_host_transfer_timeout_seconds", "jax_cross_host_transport_addresses"),
            *("jax_disallow_mesh_context_manager", "jax_force_dcn_cross_host_transfers"),
            *("jax_remove_size_one_mesh_axis_from_type", "jax_share_binary_between_hosts"),
            *("jax_share_binary_between_hosts_timeout_ms", "jax_sort_devices_by_process_index"),
        ),
        "exports, which no run makes": (
            *("jax2tf_associative_scan_reductions", "jax2tf_default_native_serialization"),
            *("jax_export_calling_convention_version", "jax_export_ignore_forward_compatibility"),
            "jax_serialization_version",
        ),
    }
)
"""Flags that change no bit of a run, by what they do instead."""

RECORDED_VARIABLES = (
    *("CUBLAS_WORKSPACE_CONFIG", "DNNL_DEFAULT_FPMATH_MODE", "DNNL_MAX_CPU_ISA"),
    *("LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE"),
    *("ONEDNN_MAX_CPU_ISA", "TF_XLA_FLAGS", "XLA_PYTHON_CLIENT_ALLOCATOR"),
)
"""Other variables that may change bits, recorded as `RECORDED` is.

`NPROC` and `XLA_FLAGS` are recorded by themselves. `OMP_*`, `MKL_*` and `OPENBLAS_*` are of numpy,
which computes no number of a run; `TF_CPP_*` are of messages; `XLA_PYTHON_CLIENT_MEM_FRACTION` and
`_PREALLOCATE` are of memory.
"""


def drop_ignored(environ: MutableMapping[str, str]) -> Iterator[str]:
    """Take variables out of an environment that must not reach jax, and says which were set."""
    reasons = {name: why for name, (_, why) in PINNED.items()} | dict(UNSET)
    for name, why in reasons.items():
        if (given := environ.pop(name.upper(), None)) is not None:
            yield f"{name.upper()}={given} is not used: {why}"


def recorded_settings(environ: Mapping[str, str], flags: Mapping[str, Any]) -> dict[str, str]:
    """Return what may change bits and was set, as the environment variables that set it.

    Args:
        environ: The environment.
        flags: jax's flags and their values.
    """
    found = {name: environ[name] for name in RECORDED_VARIABLES if environ.get(name)}
    for name, default in RECORDED.items():
        if name in flags and flags[name] != default:
            found[name.upper()] = str(flags[name])
    return found


def with_settings(environ: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which the recorded settings hold, and no others of their kind."""
    ours = {*RECORDED_VARIABLES, *(name.upper() for name in RECORDED)}
    return {name: x for name, x in environ.items() if name not in ours} | dict(settings)
