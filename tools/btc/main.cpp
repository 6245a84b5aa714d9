/// btc: tools around the pipeline's files.

#include <iostream>
#include <string>

#include "commands.hpp"
#include "common/error.hpp"
#include "common/version.hpp"
#include "model/math_mode.hpp"

namespace {

constexpr int kFailed = 1;
constexpr int kUserError = 2;

/// Runs the command that the arguments name. @return exit code
int run(int argc, char** argv) {
  CLI::App app("Tools around btc_pipeline: token files, packed models, the environment.");
  app.set_version_flag("--version",
                       std::string(btc::version()) + " " + std::string(btc::git_hash()));
  app.require_subcommand(1);
  btc::add_prepare(app);
  btc::add_inspect(app);
  btc::add_evaluate(app);
  btc::add_export(app);
  btc::add_generate(app);
  btc::add_doctor(app);
  btc::add_quantize_linear(app);
  btc::add_sweep(app);
  btc::add_tables(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::RuntimeError& error) {  // a command that has exit codes of its own
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUserError;
  } catch (const btc::UserError& error) {
    std::cerr << "btc: " << error.what() << "\n";
    return kUserError;
  } catch (const std::exception& error) {
    std::cerr << "btc: " << error.what() << "\n";
    return kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  btc::choose_math_mode();
  const int code = run(argc, argv);
  if (code == 0 && !std::cout.flush()) {
    std::cerr << "btc: standard output: cannot write\n";
    return kFailed;
  }
  return code;
}
