#include "pipeline/plan.hpp"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "eval/perplexity.hpp"
#include "learn/block_transform.hpp"
#include "learn/learn_transform.hpp"
#include "model/kept_outputs.hpp"
#include "pack/packed_block.hpp"
#include "pipeline/device_memory.hpp"
#include "pipeline/encode.hpp"
#include "pipeline/fisher.hpp"
#include "pipeline/sequences.hpp"
#include "pipeline/zero_shot.hpp"

namespace btc {

namespace {

/// Share of salient columns that the search is expected to find. @see docs/paper_map.md
constexpr double kExpectedSalientShare = 0.09;
/// Bytes of a safetensors header per tensor, measured on packed blocks.
constexpr std::uint64_t kHeaderBytesPerTensor = 130;
constexpr std::uint64_t kFp32 = 4;

std::uint64_t stored_size(const ModelConfig& model) { return model.dtype == "float32" ? 4 : 2; }

std::uint64_t elements(const std::vector<ExpectedTensor>& tensors) {
  std::uint64_t sum = 0;
  for (const ExpectedTensor& tensor : tensors) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : tensor.shape) {
      count *= static_cast<std::uint64_t>(extent);
    }
    sum += count;
  }
  return sum;
}

double expected_salient_share(const BinarizeParams& binarize) {
  switch (binarize.salient) {
    case SalientRule::kNone:
      return 0;
    case SalientRule::kFraction:
      return binarize.salient_fraction;
    case SalientRule::kSearch:
      break;
  }
  return kExpectedSalientShare;
}

/// Bytes of a codebook shared by the Linears of so many blocks: it has at most as many codewords as
/// there are sub-vectors.
std::uint64_t shared_codebook_bytes(const CodebookParams& codebook, const ModelConfig& model,
                                    std::size_t blocks) {
  const auto v = static_cast<std::size_t>(codebook.vector_length);
  std::size_t sub_vectors = 0;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(model, kind);
    sub_vectors += blocks * rows * ceil_div(cols, v);
  }
  return ceil_div(std::min(codebook_size(codebook), sub_vectors) * v, 8) + sizeof(std::int64_t);
}

/// Factors of one block.
std::uint64_t transform_bytes(const ModelConfig& model) {
  constexpr std::uint64_t kFp16 = 2;
  std::uint64_t values = 0;
  for (const SharedInput input : kSharedInputs) {
    const auto [a, b] = factor_sizes(model, input);
    values += a * a + (input == SharedInput::kO ? 0 : b * b);
  }
  return kFp16 * values;
}

/// Ledger of one block: Linears, norms and biases, container.
std::vector<LedgerLine> block_ledger(const PipelineConfig& config, const ModelConfig& model) {
  const PackedFormat format = packed_format(config);
  const double share =
      config.binarize.group_fractions.empty() ? 0.5 : config.binarize.group_fractions.front();
  std::vector<LedgerLine> lines;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(model, kind);
    const auto salient = static_cast<std::size_t>(expected_salient_share(config.binarize) *
                                                  static_cast<double>(cols));
    const auto linear = predict_linear_ledger(rows, cols, format, salient, share);
    lines.insert(lines.end(), linear.begin(), linear.end());
  }
  if (format.transform) {
    lines.push_back({"", "", "transform", transform_bytes(model)});
  }
  const std::uint64_t size = stored_size(model);
  std::uint64_t bias = 0;
  for (const LinearKind kind : kLinearKinds) {
    bias += model.bias.at(index_of(kind)) ? linear_shape(model, kind)[0] * size : 0;
  }
  const std::uint64_t norm = 2 * model.hidden + (model.qk_norm ? 2 * model.head_dim : 0);
  constexpr std::uint64_t kTrainedNormSize = 2;
  lines.push_back({"", "", "norm", norm * (trains(config.refine) ? kTrainedNormSize : size)});
  lines.push_back({"", "", "bias", bias});
  lines.push_back({"", "", "container", (lines.size() + 2) * kHeaderBytesPerTensor});
  if (learns_codebook(config.codebook) && config.codebook->scope == CodebookScope::kBlock) {
    lines.push_back({"", "", "codebook", shared_codebook_bytes(*config.codebook, model, 1)});
  }
  return lines;
}

std::vector<LedgerLine> model_ledger(const PipelineConfig& config, const ModelConfig& model) {
  std::vector<LedgerLine> lines = block_ledger(config, model);
  for (LedgerLine& line : lines) {
    line.bytes *= static_cast<std::uint64_t>(model.blocks);
  }
  const std::uint64_t table = model.vocab_size * model.hidden * stored_size(model);
  lines.push_back({"", "", "embedding", table});
  lines.push_back({"", "", "norm", model.hidden * stored_size(model)});
  lines.push_back({"", "", "head", model.tied_head ? 0 : table});
  lines.push_back({"outer", "", "container", 4 * kHeaderBytesPerTensor});
  if (learns_codebook(config.codebook) && config.codebook->scope == CodebookScope::kModel) {
    const auto blocks = static_cast<std::size_t>(model.blocks);
    lines.push_back({"", "", "codebook", shared_codebook_bytes(*config.codebook, model, blocks)});
  }
  return lines;
}

/// Sizes that the stages have in common, in bytes.
struct Sizes {
  std::uint64_t checkpoint = 0;  ///< on disk
  std::uint64_t block_fp32 = 0;  ///< one block's weights in memory
  std::uint64_t largest_linear = 0;
  std::uint64_t hessians = 0;        ///< fp32, all four
  std::uint64_t largest_factor = 0;  ///< fp64 work space
  std::uint64_t factors_file = 0;    ///< upper triangles of one block
  std::uint64_t sequence = 0;        ///< hidden states of one calibration sequence, fp32
  std::uint64_t activations = 0;     ///< of one block, on disk
  std::uint64_t packed = 0;          ///< whole model
};

Sizes measure(const PipelineConfig& config, const ModelConfig& model, std::uint64_t packed_bytes) {
  Sizes sizes;
  sizes.checkpoint = parameter_count(model) * stored_size(model);
  sizes.block_fp32 = elements(block_tensors(model, 0)) * kFp32;
  for (const LinearKind kind : kLinearKinds) {
    const auto [rows, cols] = linear_shape(model, kind);
    sizes.largest_linear = std::max<std::uint64_t>(sizes.largest_linear, rows * cols * kFp32);
  }
  for (const SharedInput input : kSharedInputs) {
    const std::uint64_t width = input_width(model, input);
    sizes.hessians += width * width * kFp32;
    sizes.largest_factor = std::max(sizes.largest_factor, width * width * 2 * kFp32);
    sizes.factors_file += width * (width + 1) / 2 * kFp32;
  }
  const CalibrationParams& calibration = config.calibration;
  sizes.sequence = calibration.window * model.hidden * kFp32;
  sizes.activations = calibration.samples * (sizes.sequence / 2 + 16);
  sizes.packed = packed_bytes;
  return sizes;
}

/// What a block makes of so many tokens in one forward call.
std::uint64_t forward_memory(std::size_t tokens, const ModelConfig& model) {
  return tokens * (6 * model.hidden + 3 * model.intermediate) * kFp32;
}

/// Logits of the rows that the head takes at once.
std::uint64_t logits_memory(const ModelConfig& model) {
  return 2 * kHeadRows * model.vocab_size * kFp32;
}

/// Hidden states of one part, and one forward call. Blocks stay in what memory is free beyond that.
std::uint64_t zero_shot_memory(const ZeroShotParams& params, const ModelConfig& model) {
  return params.tokens_in_memory * model.hidden * kFp32 +
         forward_memory(params.batch_tokens, model) + logits_memory(model);
}

/// Windows or requests of one part on one rank, as hidden states.
std::uint64_t evaluation_memory(const PipelineConfig& config, const ModelConfig& model,
                                const Sizes& sizes, int ranks) {
  const auto at_once = [&](std::size_t entries) {
    const int windows = entries <= kSmallTensor ? config.compute.threads_per_rank : 1;
    return static_cast<std::uint64_t>(windows);
  };
  std::uint64_t largest = 0;
  for (const PerplexityParams& params : config.evaluate.perplexity) {
    const std::uint64_t share =
        ceil_div(config.evaluate.windows_in_memory, static_cast<std::size_t>(ranks));
    const std::uint64_t hidden = share * params.window * model.hidden * kFp32;
    const std::uint64_t forward =
        at_once(block_entries(model, params.window)) * forward_memory(params.window, model);
    const std::uint64_t logits = at_once(head_entries(model, params.window)) * logits_memory(model);
    largest = std::max(largest, hidden + std::max(forward, logits));
  }
  if (config.evaluate.zero_shot) {
    largest = std::max(largest, zero_shot_memory(*config.evaluate.zero_shot, model));
  }
  return largest == 0 ? 0 : largest + 2 * sizes.block_fp32;
}

/// What autograd keeps of one sequence in one block: hidden states about 16 times, MLP states 5
/// times, queries, keys and values 4 times.
std::uint64_t gradient_memory(const PipelineConfig& config, const ModelConfig& model) {
  const std::uint64_t heads = (model.heads + 2 * model.kv_heads) * model.head_dim;
  return config.calibration.window * (16 * model.hidden + 5 * model.intermediate + 4 * heads) *
         kFp32;
}

/// Of what the original block makes of the sequences, where a block is trained towards it.
std::uint64_t kept_outputs(const PipelineConfig& config, const Sizes& sizes) {
  return std::min(kKeptOnCpu, config.calibration.samples * sizes.sequence);
}

/// The same work in every sweep.
PlannedStage repeated(PlannedStage stage, int sweeps) {
  const auto times = static_cast<std::uint64_t>(sweeps);
  stage.units *= times;
  stage.bytes_read *= times;
  stage.bytes_written *= times;
  return stage;
}

/// Inputs of all blocks; later sweeps make those behind block 0 anew, through packed blocks.
PlannedStage capture_stage(const PipelineConfig& config, const ModelConfig& model,
                           const Sizes& sizes) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  const auto later = static_cast<std::uint64_t>(config.calibration.sweeps) - 1;
  const std::uint64_t files = blocks + later * (blocks - 1);
  return {"capture", files, 2 * sizes.checkpoint + later * sizes.packed + files * sizes.activations,
          files * sizes.activations, sizes.block_fp32 + 6 * sizes.sequence};
}

/// Head or one block with what autograd keeps of a sequence there, and the gradients of all
/// sequences for one block's output. The last block runs twice: for its output, and for its input.
PlannedStage fisher_stage(const PipelineConfig& config, const ModelConfig& model,
                          const Sizes& sizes) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  const std::uint64_t sequences = fisher_sequences(config.calibration.samples);
  const std::uint64_t head =
      (model.vocab_size * model.hidden + 4 * kHeadRows * model.vocab_size) * kFp32;
  return {"fisher", 1,
          sizes.checkpoint + blocks * sequences * (sizes.activations / config.calibration.samples),
          blocks * model.hidden * kFp32,
          (sequences + 6) * sizes.sequence + sizes.block_fp32 +
              std::max(head, gradient_memory(config, model))};
}

/// Encoding. Where errors are absorbed between the Linears: dense weights, those of the best epoch,
/// gradients, two moments and the original; every epoch reads the sequences, and so do the start
/// and the new measurements before o, gate, up and down.
PlannedStage encode_stage(const PipelineConfig& config, const ModelConfig& model,
                          const Sizes& sizes) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  PlannedStage stage = {"encode", blocks, sizes.checkpoint + sizes.factors_file * blocks,
                        sizes.packed, sizes.block_fp32 + sizes.hessians + 4 * sizes.largest_linear};
  if (config.refine.dense_epochs > 0) {
    const auto passes = static_cast<std::uint64_t>(config.refine.dense_epochs) + 1;
    constexpr std::uint64_t kMeasurements = 4;
    stage.bytes_read +=
        ((kLinearKinds.size() - 1) * passes + kMeasurements) * sizes.activations * blocks;
    stage.memory += 6 * sizes.block_fp32 + gradient_memory(config, model) + 6 * sizes.sequence +
                    sizes.largest_factor + kept_outputs(config, sizes);
  }
  return stage;
}

/// Learning: the original as loaded, as it runs and as it is transformed; the weights as they are
/// quantized, effective weights, gradients; a byte each for groups and signs. Every epoch reads the
/// sequences.
PlannedStage learn_stage(const PipelineConfig& config, const ModelConfig& model,
                         const Sizes& sizes) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  const std::uint64_t factors = 4 * transform_bytes(model);  // with the head_dim matrices, in fp32
  PlannedStage stage = {"learn", blocks, 0, factors * blocks, 4 * factors};
  if (learns(config.transform)) {
    const auto epochs = static_cast<std::uint64_t>(
        epochs_of(schedule_of(config.transform), config.calibration.samples));
    stage.bytes_read = sizes.checkpoint + (epochs + 1) * sizes.activations * blocks;
    stage.memory += 13 * sizes.block_fp32 / 2 + gradient_memory(config, model) +
                    6 * sizes.sequence + kept_outputs(config, sizes);
  }
  return stage;
}

PlannedStage refine_stage(const PipelineConfig& config, const ModelConfig& model,
                          const Sizes& sizes) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  // Every epoch reads the sequences to train on, and those held out; and so does the start.
  const auto passes = static_cast<std::uint64_t>(config.refine.block_epochs) + 1;
  // Latent weights, their changes (present and best), two moments and the gradient; signs, indices
  // and groups of the start: 1.5 bytes a weight.
  const std::uint64_t latent = config.refine.block_sign_learning_rate > 0
                                   ? 6 * sizes.block_fp32 + sizes.block_fp32 * 3 / 8
                                   : 0;
  return {"refine", blocks, sizes.checkpoint + sizes.packed + passes * sizes.activations * blocks,
          sizes.packed,
          4 * sizes.block_fp32 + latent + gradient_memory(config, model) + 6 * sizes.sequence +
              kept_outputs(config, sizes)};
}

/// Signs, indices and groups of the whole model as they lie in memory, and one block made dense, on
/// every rank; of each sample that the rank works on, the input of every block; the gradients of
/// all samples of a step.
PlannedStage distill_stage(const PipelineConfig& config, const ModelConfig& model,
                           const Sizes& sizes, std::uint64_t trained_values, int ranks) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  const auto batch = static_cast<std::uint64_t>(config.refine.batch);
  const auto epochs = static_cast<std::uint64_t>(config.refine.kd_epochs);
  const std::uint64_t samples = ceil_div(batch, static_cast<std::size_t>(ranks));
  const std::uint64_t copies = config.refine.kd_sign_learning_rate > 0 ? 2 : 1;  // the start's
  const std::uint64_t quantized = copies * linear_weight_count(model) * 3 / 2;
  const std::uint64_t logits = 4 * kHeadRows * model.vocab_size * kFp32;
  const std::uint64_t head = model.vocab_size * model.hidden * kFp32;
  const std::uint64_t state = 4 * trained_values * kFp32;
  return {"distill", blocks + epochs, sizes.packed + 2 * (epochs + 1) * sizes.activations,
          sizes.packed + epochs * state,
          quantized + 4 * sizes.block_fp32 + samples * (blocks + 4) * sizes.sequence + head +
              logits + gradient_memory(config, model) + state +
              (2 * batch + samples) * trained_values * kFp32};
}

/// Scales and norm gains of the model, and a latent weight for every sign that is trained.
std::uint64_t trained_values(const PipelineConfig& config, const ModelConfig& model,
                             const std::vector<LedgerLine>& lines) {
  constexpr std::uint64_t kFp16 = 2;
  std::uint64_t bytes = 0;
  for (const LedgerLine& line : lines) {
    const bool trained =
        line.category == "scales" || line.category == "column_scales" || line.category == "norm";
    bytes += trained ? line.bytes : 0;
  }
  return bytes / kFp16 + (config.refine.kd_sign_learning_rate > 0 ? linear_weight_count(model) : 0);
}

std::vector<PlannedStage> plan_stages(const PipelineConfig& config, const ModelConfig& model,
                                      const Sizes& sizes, const std::vector<LedgerLine>& lines,
                                      int ranks) {
  const auto blocks = static_cast<std::uint64_t>(model.blocks);
  const std::uint64_t all_activations = sizes.activations * blocks;
  const std::uint64_t all_factors = sizes.factors_file * blocks;
  const bool self = config.calibration.source == TokenSource::kSelf;
  std::size_t codebooks = 0;
  if (learns_codebook(config.codebook)) {
    codebooks = config.codebook->scope == CodebookScope::kModel ? 1 : blocks;
  }
  const std::uint64_t histogram =
      learns_codebook(config.codebook) ? std::uint64_t{16} << config.codebook->vector_length : 0;
  const std::size_t measured =
      config.evaluate.perplexity.size() + (config.evaluate.zero_shot ? 1U : 0U);
  std::vector<PlannedStage> stages = {
      {"sequences", 1, self ? sizes.checkpoint * static_cast<std::uint64_t>(ranks) : 0,
       config.calibration.samples * config.calibration.window * 4,
       self ? parameter_count(model) * kFp32 : 0},
      capture_stage(config, model, sizes)};
  if (config.refine.dense_epochs > 0) {
    stages.push_back(fisher_stage(config, model, sizes));
  }
  if (config.transform.kind != TransformKind::kNone) {
    stages.push_back(learn_stage(config, model, sizes));
  }
  const std::vector<PlannedStage> sweep = {
      {"binarize", blocks, sizes.checkpoint + all_activations, all_factors,
       sizes.block_fp32 + 2 * sizes.hessians + sizes.largest_factor + 3 * sizes.largest_linear},
      {"codebook", codebooks, 0, 0, histogram},
      encode_stage(config, model, sizes)};
  for (const PlannedStage& stage : sweep) {
    stages.push_back(repeated(stage, config.calibration.sweeps));
  }
  if (config.refine.block_epochs > 0) {
    stages.push_back(refine_stage(config, model, sizes));
  }
  if (config.refine.kd_epochs > 0) {
    stages.push_back(
        distill_stage(config, model, sizes, trained_values(config, model, lines), ranks));
  }
  stages.push_back({"reduce", blocks + 2, sizes.packed, sizes.packed, std::uint64_t{1} << 26U});
  stages.push_back({"evaluate", measured * config.evaluate.subjects.size(),
                    measured * (sizes.checkpoint + sizes.packed), 0,
                    evaluation_memory(config, model, sizes, ranks)});
  return stages;
}

std::string gigabytes(std::uint64_t bytes) {
  constexpr double kGiga = 1e9;
  return fmt::format("{:.3f} GB", static_cast<double>(bytes) / kGiga);
}

}  // namespace

Plan make_plan(const PipelineConfig& config, const ModelConfig& model, int ranks) {
  BTC_REQUIRE(ConfigError, config.calibration.window <= model.max_position,
              "calibration.window: expected at most ", model.max_position,
              " (max_position_embeddings of the model), got ", config.calibration.window);
  for (const PerplexityParams& params : config.evaluate.perplexity) {
    check_window(params, model);
  }
  if (config.evaluate.zero_shot) {
    check_tasks(*config.evaluate.zero_shot);
  }
  Plan plan;
  plan.model = model;
  plan.parameters = parameter_count(model);
  plan.linear_weights = linear_weight_count(model);
  const std::vector<LedgerLine> lines = model_ledger(config, model);
  plan.ledger = totals_by_category(lines);
  plan.bits =
      bit_numbers(lines, nominal_bits(packed_format(config)), plan.linear_weights, plan.parameters);
  const Sizes sizes = measure(config, model, total_bytes(lines));
  plan.stages = plan_stages(config, model, sizes, lines, ranks);
  plan.activation_bytes = capture_stage(config, model, sizes).bytes_written;
  for (const PlannedStage& stage : plan.stages) {
    plan.disk_bytes += stage.bytes_written;
  }
  if (config.compute.backend == BackendKind::kCuda) {
    plan.device_memory = device_memory_of_rank(config, model);
  }
  return plan;
}

std::string describe_plan(const Plan& plan) {
  std::string text = fmt::format(
      "model      {}, {} blocks, hidden {}, MLP {}, {} heads ({} for keys), vocabulary {}\n"
      "           {} parameters, {} in the Linears\n",
      plan.model.family, plan.model.blocks, plan.model.hidden, plan.model.intermediate,
      plan.model.heads, plan.model.kv_heads, plan.model.vocab_size, plan.parameters,
      plan.linear_weights);
  text += fmt::format("{:<10} {:>6} {:>14} {:>14} {:>18}\n", "stage", "units", "reads", "writes",
                      "memory per rank");
  for (const PlannedStage& stage : plan.stages) {
    text += fmt::format("{:<10} {:>6} {:>14} {:>14} {:>18}\n", stage.name, stage.units,
                        gigabytes(stage.bytes_read), gigabytes(stage.bytes_written),
                        gigabytes(stage.memory));
  }
  text += fmt::format("disk       {} in the run directory, {} of it activations\n",
                      gigabytes(plan.disk_bytes), gigabytes(plan.activation_bytes));
  if (plan.device_memory > 0) {
    text += fmt::format("device     {} of device memory per rank\n", gigabytes(plan.device_memory));
  }
  text += "predicted ledger\n";
  for (const LedgerLine& line : plan.ledger) {
    text += fmt::format("  {:<14} {:>16}\n", line.category, line.bytes);
  }
  text += fmt::format("  {:<14} {:>16}\n", "total", total_bytes(plan.ledger));
  text += fmt::format("predicted bits  nominal {:.4f}  sign {:.4f}  stored {:.4f}  model {:.4f}\n",
                      plan.bits.nominal, plan.bits.sign, plan.bits.stored, plan.bits.model);
  return text;
}

std::string plan_json(const Plan& plan) {
  nlohmann::json stages = nlohmann::json::array();
  for (const PlannedStage& stage : plan.stages) {
    stages.push_back({{"stage", stage.name},
                      {"units", stage.units},
                      {"bytes_read", stage.bytes_read},
                      {"bytes_written", stage.bytes_written},
                      {"memory_per_rank", stage.memory}});
  }
  nlohmann::json ledger = nlohmann::json::array();
  for (const LedgerLine& line : plan.ledger) {
    ledger.push_back({{"category", line.category}, {"bytes", line.bytes}});
  }
  return nlohmann::json{{"schema", "btc.plan"},
                        {"version", "1.0"},
                        {"blocks", plan.model.blocks},
                        {"parameters", plan.parameters},
                        {"linear_weights", plan.linear_weights},
                        {"stages", stages},
                        {"activation_bytes", plan.activation_bytes},
                        {"disk_bytes", plan.disk_bytes},
                        {"device_memory_per_rank", plan.device_memory},
                        {"ledger", ledger},
                        {"bits",
                         {{"nominal", plan.bits.nominal},
                          {"sign", plan.bits.sign},
                          {"stored", plan.bits.stored},
                          {"model", plan.bits.model}}}}
             .dump(1) +
         "\n";
}

}  // namespace btc
