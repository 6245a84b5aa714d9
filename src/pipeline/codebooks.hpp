#pragma once
/// The codebook stage: learns from the sign patterns of binarized blocks, and keeps the result.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.hpp"
#include "comm/communicator.hpp"
#include "comm/device_communicator.hpp"
#include "common/ids.hpp"
#include "quant/codebook.hpp"
#include "quant/params.hpp"

namespace btc {

/// Codebooks of one block for scope `linear` (one per Linear), `block_group` (one per panel of each
/// Linear) or `block` (one).
/// @param histograms one for each codebook; for scope `block` any, they are added up
std::vector<Codebook> learn_block_codebooks(const std::vector<PatternHistogram>& histograms,
                                            const CodebookParams& params, std::uint64_t run_seed,
                                            int block, Backend& backend);

/// Pattern counts of the whole model: block b is read by rank b mod P, then the counts [2^v] are
/// summed over the ranks. Collective; integers, so the result does not depend on the rank count.
/// @param device between the ranks' devices; null: the counts go through MPI
/// @param read histograms of a block
PatternHistogram sum_histograms(
    std::size_t blocks, int vector_length, const Communicator& comm, DeviceCommunicator* device,
    const std::function<std::vector<PatternHistogram>(std::size_t)>& read);

/// @return size in bytes
std::size_t write_codebooks(const std::filesystem::path& path,
                            const std::vector<Codebook>& codebooks, const std::string& fingerprint);
/// @throws FormatError if the file is damaged or of another version
std::vector<Codebook> read_codebooks(const std::filesystem::path& path);

/// Searches among the codewords of a block: one for each of its codebooks, or the one of the linear
/// code; none for free signs.
std::vector<std::unique_ptr<CodewordSearch>> open_searches(
    const std::optional<CodebookParams>& params, const std::vector<Codebook>& codebooks,
    Backend& backend);
/// That of one Linear. @param searches one for all Linears, or one each; none gives null
const CodewordSearch* search_of(std::span<const std::unique_ptr<CodewordSearch>> searches,
                                LinearKind kind);

/// Sizes and mean share of flipped signs in words, for the progress line.
std::string describe_codebooks(const std::vector<Codebook>& codebooks);

}  // namespace btc
