#!/usr/bin/env bash
# LLaMA-2-7B at 0.8 bit per sign: 32 blocks on 8 ranks of 16 threads.
# Submit from the root of the repository, after the release build; account, partition and the like
# belong on the command line:   sbatch --account=X jobs/slurm/llama2_7b_0.8bit.sh
# The same script on another model:   BTC_CONFIG=configs/quickstart.yaml sbatch jobs/slurm/...
#SBATCH --job-name=btc-llama2-7b-0.8
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@900
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
cd "$SLURM_SUBMIT_DIR" || exit 2
source jobs/slurm/common.sh
# Hours: 5 % below --time, for sites that send no signal.
btc_job configs/llama2_7b_0.8bit.yaml 22.8
