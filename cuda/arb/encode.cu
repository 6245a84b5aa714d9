#include "cuda/arb/encode.hpp"

#include <memory>

#include "cuda/arb/panel_input.cuh"
#include "cuda/arb/session.cuh"
#include "cuda/kmeans/codeword_search.cuh"
#include "cuda/runtime/launch.cuh"
#include "cuda/runtime/team.cuh"

namespace btc::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    encode_kernel(const __grid_constant__ EncodeProblem p,
                  const __grid_constant__ EncodeOutput out) {
  __shared__ EncodeChunk chunk;
  extern __shared__ FlipCosts tables[];
  const std::size_t first = static_cast<std::size_t>(blockIdx.x) * kEncodeRows;
  const std::size_t left = out.target.rows() - first;
  encode_rows(BlockTeam(), p, out, first,
              left < kEncodeRows ? static_cast<std::uint32_t>(left) : kEncodeRows, chunk, tables);
}

/// A rule's codewords on this device: those of its search, or a search opened for the call.
struct DeviceCodewords {
  std::unique_ptr<const CodewordSearch> own;
  const CodewordSearch* search = nullptr;  // null: free signs
};

DeviceCodewords find_codewords(const std::shared_ptr<const Context>& context,
                               const btc::CodewordSearch* search) {
  DeviceCodewords result;
  result.search = dynamic_cast<const CodewordSearch*>(search);
  if (search != nullptr && result.search == nullptr) {
    result.own = std::make_unique<const CodewordSearch>(context, search->codewords(),
                                                        search->vector_length());
    result.search = result.own.get();
  }
  return result;
}

PanelCode empty_code(std::size_t rows, std::size_t width, std::size_t salient,
                     const EncodeRule& rule) {
  PanelCode code;
  code.signs = BitMatrix(rows, width);
  code.residual = BitMatrix(rows, salient);
  code.group = Matrix<std::uint8_t>(rows, width);
  if (rule.keep_target) {
    code.target = Matrix<float>(rows, width);
  }
  if (rule.codewords != nullptr) {
    const auto v = static_cast<std::size_t>(rule.codewords->vector_length());
    BTC_CHECK(rule.chunk == v, "chunk of ", rule.chunk, " columns, codewords of ", v);
    code.index = Matrix<std::uint32_t>(rows, ceil_div(width, v));
  }
  return code;
}

/// A panel's code on the device.
class DeviceCode {
 public:
  /// @param weights [n, k] the panel's, on the device
  DeviceCode(const Context& context, const PanelCode& code, MatrixView<const float> weights)
      : signs_(context, code.signs.bytes().size()),
        residual_(context, code.residual.bytes().size()),
        index_(context, code.index.rows(), code.index.cols()),
        group_(context, code.group.rows(), code.group.cols()),
        target_(packed(context, weights)) {
    signs_.fill_bytes(0);
    residual_.fill_bytes(0);
  }

  [[nodiscard]] EncodeOutput output(const PanelCode& code) const {
    return {{signs_.data(), code.signs.row_bytes()},
            {residual_.data(), code.residual.row_bytes()},
            index_.view(),
            group_.view(),
            target_.view()};
  }
  /// Starts the copies to `code`.
  void download(PanelCode& code) {
    signs_.download(code.signs.bytes());
    residual_.download(code.residual.bytes());
    index_.array().download(code.index.values());
    group_.array().download(code.group.values());
    if (!code.target.empty()) {
      target_.array().download(code.target.values());
    }
  }

 private:
  DeviceArray<std::uint8_t> signs_;
  DeviceArray<std::uint8_t> residual_;
  DeviceMatrix<std::uint32_t> index_;
  DeviceMatrix<std::uint8_t> group_;
  DeviceMatrix<float> target_;
};

}  // namespace

PanelCode ArbSession::encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                             const EncodeRule& rule) {
  BTC_CHECK(rule.chunk >= 1 && rule.chunk <= static_cast<std::size_t>(kMaxVectorLength),
            "chunk of ", rule.chunk, " columns");
  context_->make_current();
  PanelCode code = empty_code(rows(), panel.width(), groups.salient.size(), rule);
  const DeviceCodewords codewords = find_codewords(context_, rule.codewords);
  const DeviceMatrix<std::uint8_t> given(*context_, groups.group);
  const DeviceArray<std::uint32_t> rank(*context_, salient_ranks(groups, panel.width()));
  const DeviceScales device_scales(*context_, scales);
  const DeviceMatrix<float> thresholds(*context_, rule.group_thresholds);
  DeviceCode device_code(*context_, code, columns(panel));

  EncodeProblem problem;
  problem.u = diagonal(panel);
  problem.given = given.view();
  problem.rank = rank.span();
  problem.scales = device_scales.view();
  problem.thresholds = thresholds.view();
  problem.groups = groups.count;
  problem.chunk = rule.chunk;
  problem.grouping = rule.grouping;
  problem.sequential = rule.compensation == Compensation::kSequential;
  std::size_t table_bytes = 0;
  if (codewords.search != nullptr) {
    problem.codewords = codewords.search->device_codewords();
    problem.vector_length = codewords.search->vector_length();
    if (rule.assignment == Assignment::kHamming) {
      problem.labels = codewords.search->device_labels();
    } else {
      table_bytes =
          static_cast<std::size_t>(flip_table_entries(problem.vector_length)) * sizeof(FlipCosts);
    }
  }
  launch(*context_, {ceil_div(rows(), kEncodeRows), kThreads, table_bytes}, encode_kernel, problem,
         device_code.output(code));
  device_code.download(code);
  context_->wait();
  return code;
}

}  // namespace btc::cuda
