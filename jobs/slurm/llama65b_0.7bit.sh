#!/usr/bin/env bash
# LLaMA-1-65B at 0.7 bit per sign: 80 blocks on 16 ranks of 16 threads.
# Submit from the root of the repository, after the release build; account, partition and the like
# belong on the command line:   sbatch --account=X jobs/slurm/llama65b_0.7bit.sh
# The same script on another model:   BTC_CONFIG=configs/quickstart.yaml sbatch jobs/slurm/...
#SBATCH --job-name=btc-llama-65b-0.7
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=16
#SBATCH --mem=0
#SBATCH --exclusive
#SBATCH --time=48:00:00
#SBATCH --signal=B:USR1@3600
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
cd "$SLURM_SUBMIT_DIR" || exit 2
source jobs/slurm/common.sh
# Hours: 5 % below --time, for sites that send no signal.
btc_job configs/llama1_65b_0.7bit.yaml 45.6
