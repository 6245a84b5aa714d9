#pragma once
/// The seam between algorithms (`quant/`) and devices. Loops, stop rules and choices live once, in
/// `quant/`; a backend has only primitives, so that CPU and GPU cannot drift apart.
///
/// A session keeps one problem on the device. Equal inputs give equal integers on every backend.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fit_rule.hpp"
#include "backend/panel.hpp"
#include "common/matrix.hpp"
#include "common/pattern.hpp"

namespace btc {

/// Learns a binary codebook on one histogram. @see BTC-LLM Alg. 3
class KMeansSession {
 public:
  virtual ~KMeansSession() = default;
  /// E-step: exact nearest centroid (Hamming) of each distinct pattern, tie -> lowest index.
  /// @param assignment one entry per pattern of the histogram, read and overwritten
  /// @return how many entries changed
  virtual std::size_t assign(std::span<const Pattern> centroids,
                             std::span<std::uint32_t> assignment) = 0;
  /// M-step: sign of the count-weighted sum per bit, tie -> +1; an empty cluster keeps its
  /// centroid.
  virtual void update(std::span<const std::uint32_t> assignment, std::span<Pattern> centroids) = 0;
};

/// A frozen list of codewords, prepared for nearest-codeword queries. Safe from several threads.
class CodewordSearch {
 public:
  virtual ~CodewordSearch() = default;
  [[nodiscard]] virtual int vector_length() const = 0;
  [[nodiscard]] virtual std::span<const Pattern> codewords() const = 0;
  /// Nearest codeword in Hamming distance of each pattern, tie -> lowest index.
  virtual void nearest(std::span<const Pattern> patterns, std::span<std::uint32_t> index) const = 0;
  /// Codeword with the smallest sum of flip costs, tie -> lowest index.
  /// @param own    [N] preferred signs
  /// @param costs  [N, v], what flipping each sign of `own` costs, >= 0, at most 2^26
  virtual void nearest_weighted(std::span<const Pattern> own, MatrixView<const std::int32_t> costs,
                                std::span<std::uint32_t> index) const = 0;
};

/// How the error of already quantized columns is pushed to later ones.
enum class Compensation {
  kNone,   ///< not at all
  kBlock,  ///< after a panel: E = (W - Q) / diag(U), W[:, later] -= E U[C, later] (GPTQ, BiLLM)
  kExact,  ///< after a panel, eliminating its columns one by one with Q frozen
  kSequential,  ///< as exact, and already inside the panel after each chunk of columns
};

/// What the distance to a codeword is.
enum class Assignment {
  kHamming,   ///< number of flipped signs
  kWeighted,  ///< growth of the squared error, weighted by h_j = 1 / U_jj^2
};

/// How `ArbSession::encode` groups an entry outside the salient columns, when its chunk is decided.
/// Unless groups are given, an entry whose codeword has the other sign than the entry prefers takes
/// the group whose value of that sign is nearest, the lowest on ties.
enum class Grouping {
  kGiven,       ///< as in `PanelGroups`
  kThresholds,  ///< number of its row's thresholds <= |w|
  kNearest,     ///< nearest value with the preferred sign of the group, the lowest group on ties
};

/// How `ArbSession::encode` chooses signs.
struct EncodeRule {
  std::size_t chunk = 16;  ///< columns decided together; the vector length where there is a codec
  Compensation compensation = Compensation::kSequential;  ///< only sequential acts inside encode
  const CodewordSearch* codewords = nullptr;              ///< null: free signs
  Assignment assignment = Assignment::kWeighted;
  Grouping grouping = Grouping::kGiven;
  MatrixView<const float> group_thresholds;  ///< [n, G-1] ascending, on |w|, for kThresholds
  bool keep_target = true;                   ///< false: `PanelCode::target` stays empty
};

/// The state of a greedy split search in one panel.
struct SplitState {
  Matrix<std::uint8_t> available;  ///< [n, k], 1 where an entry has no group yet
  Matrix<float> fixed;             ///< [n, k], reconstruction of the metric outside `available`
};

/// Binarizes one Linear, panel by panel from left to right. Holds the current (compensated)
/// weights. Saliency metric of an entry: S = W^2 / U_jj^2.
class ArbSession {
 public:
  virtual ~ArbSession() = default;
  /// Current weights of the panel [n, k].
  [[nodiscard]] virtual Matrix<float> weights(Panel panel) const = 0;
  /// Objective mean((S - S^)^2) over the panel, with the first c columns of `order` salient (plain
  /// two-plane residual binarization of S), for c = 1 .. max_count; the others as one plain plane
  /// pair as well. @see ARB-LLM Sec. 3.4, paper_map.md
  virtual std::vector<double> score_salient(Panel panel, std::span<const std::uint32_t> order,
                                            std::size_t max_count) = 0;
  /// Objective mean((S - S^)^2) for each candidate. Row c of `candidates` [C, s] holds ascending
  /// thresholds on S that cut the available entries into s + 1 groups (>= goes up), each binarized
  /// plainly (first order, per row); `state.fixed` stands for the others.
  virtual std::vector<double> score_splits(Panel panel, const SplitState& state,
                                           MatrixView<const float> candidates) = 0;
  /// Scales of every group of `x` [n, k] by the rule. fp32, unrounded; empty masks give zeros.
  virtual PanelFit fit(MatrixView<const float> x, const PanelGroups& groups,
                       const FitParams& params) = 0;
  /// The same of the panel's current weights.
  virtual PanelFit fit_weights(Panel panel, const PanelGroups& groups, const FitParams& params) {
    return fit(weights(panel).view(), groups, params);
  }
  /// Chooses signs under fixed scales. Does not change the session's weights.
  virtual PanelCode encode(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                           const EncodeRule& rule) = 0;
  /// Least-squares scales for frozen signs and groups, in the metric that remains after the panel's
  /// error is pushed to later columns optimally: minimises |(W - Q) V|^2 per row, V = U_CC^-1.
  /// fp32, unrounded; terms absent in `scales` stay absent, alpha_col stays as it is.
  virtual PanelScales refit(Panel panel, const PanelGroups& groups, const PanelScales& scales,
                            const PanelCode& code) = 0;
  /// Changes the weights right of the panel for the panel's quantized weights `q` [n, k].
  virtual void compensate(Panel panel, MatrixView<const float> q, Compensation kind) = 0;
  /// |E U^-1|^2 = tr(E H E^T) with the damped H. The session's weights play no part.
  /// @param e [n, m]
  virtual double energy(MatrixView<const float> e) const = 0;
  /// The same of the session's current weights.
  [[nodiscard]] virtual double energy_of_weights() const = 0;
};

/// Opens sessions on one device.
class Backend {
 public:
  virtual ~Backend() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Calls body(0), .., body(count - 1), several at once where the backend has threads of the host,
  /// and waits. They must not depend on each other, and may open and use sessions. The first
  /// exception of a body is thrown again here.
  virtual void for_each(std::size_t count, const std::function<void(std::size_t)>& body) const = 0;
  /// @param histogram lives as long as the session
  virtual std::unique_ptr<KMeansSession> open_kmeans(const PatternHistogram& histogram) = 0;
  /// @param codewords [c], each < 2^v; copied. Equal ones are allowed: the lowest index wins
  virtual std::unique_ptr<CodewordSearch> open_codewords(std::span<const Pattern> codewords,
                                                         int vector_length) = 0;
  /// The codewords of `common/linear_code.hpp`.
  virtual std::unique_ptr<CodewordSearch> open_linear_code() = 0;
  /// @param w [n, m], copied; @param u [m, m] upper triangular, lives as long as the session
  virtual std::unique_ptr<ArbSession> open_arb(MatrixView<const float> w,
                                               MatrixView<const float> u) = 0;
  /// Upper triangular U [m, m] with H^-1 = U^T U, factorised in fp64; zeros below the diagonal.
  /// @param h symmetric, damped
  /// @throws NumericError if H is not positive definite
  virtual Matrix<float> factor(MatrixView<const float> h) = 0;
  /// Names the work until the result dies, for a profiler that watches the device; null where none
  /// can.
  [[nodiscard]] virtual std::shared_ptr<void> range(std::string_view /*name*/) { return nullptr; }
};

/// One thread, plain loops, double sums: the truth that the others are tested against.
std::unique_ptr<Backend> make_reference_backend();
/// oneTBB and vector instructions. @param threads at most this many work at once
std::unique_ptr<Backend> make_cpu_backend(int threads);
/// @param device CUDA ordinal; @param threads of the host, at most this many work at once
/// @throws BackendUnavailable when built without CUDA, or without device
std::unique_ptr<Backend> make_cuda_backend(int device, int threads);
/// CUDA devices that this process sees; 0 when built without CUDA, or without driver.
int cuda_device_count() noexcept;
/// What the CUDA backend offers here, or why it is not available, as lines for people. Never throws
/// for want of a device.
std::string describe_cuda();

}  // namespace btc
