#!/bin/sh
# seeds.sh BUILD FOLDER - first inputs of every harness into FOLDER/NAME: files of the tests, files that the program
# in BUILD has just written, and small texts. Nothing is overwritten that mutation has found since: only seeds are.
set -eu
cd "$(dirname "$0")/../.."
build=$(cd "$1" && pwd -P)
mkdir -p "$2"
seeds=$(cd "$2" && pwd -P)
L=$build/lnclip
golden=$PWD/tests/golden
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
export ASAN_OPTIONS=detect_leaks=0 # here it is only to write files
for name in $("$build/lnclip_fuzz" --list | cut -d' ' -f1); do mkdir -p "$seeds/$name"; done

text() { # NAME FORMAT: a seed from printf's format
    count=$((${count:-0} + 1))
    # shellcheck disable=SC2059 # it is meant to be a format
    printf -- "$2" >"$seeds/$1/text$count"
}
first() { # NAME BYTES FILE: the beginning of a file
    head -c "$2" "$3" >"$seeds/$1/${3##*/}"
}
behind_first_line() { # NAME FILE
    sed 1d "$2" | head -n 12 >"$seeds/$1/${2##*/}"
}

# ---- images and arrays ----
cp "$golden"/images/* "$seeds/image"
cp "$golden"/images/*.png "$seeds/png"
cp "$golden"/images/*.jpg "$seeds/jpeg"
cp "$golden"/images/*.bmp "$golden"/images/*.p[gp]m "$seeds/bmp_pnm"
cp "$golden"/sbi/*.npy "$seeds/npy"
cp "$golden"/sbi/*.npy "$seeds/landmarks_file"
cp "$golden/faces.dat" "$seeds/shape_predictor"
for file in "$golden"/sbi/*.npy; do
    { tail -c +11 "$file" | head -n 1 && printf '\20'; } >"$seeds/npy_header/${file##*/}" 2>/dev/null
done

# ---- parameters: any bytes, and zeros ----
for name in hull self_blend resize augment packed_product pairs number_bits; do
    first $name 300 "$golden/sbi.bin"
    first $name 256 /dev/zero
done

# ---- models and runs ----
"$build/lnclip_fuzz" --write-seeds "$seeds"
cd "$T"
"$L" init --arch tiny --seed 1 --out model --quiet
"$L" synth --seed 1 --videos 3 --frames 1 --size 64 --out faces --quiet >/dev/null
"$L" train --model model --train faces/lists/train/*.txt --val faces/lists/val/*.txt --out run --recipe cpu \
    --allow-overlap batch_size=4 epochs=2 max_steps=4 log.tensorboard=on --quiet >/dev/null
"$L" eval --model model --adapter run/best.safetensors --out evaluation D=faces/lists/val/real.txt,faces/lists/val/swap.txt \
    --quiet >/dev/null
first safetensors 4000 model/model.safetensors
cp model/config.json "$seeds/vit_config"
cp model/preprocessor_config.json "$seeds/vit_preprocessor"
cp run/recipe.txt "$seeds/recipe"
cp run/recipe.txt "$seeds/inspect_recipe"
cp run/steps.csv "$seeds/inspect_steps"
cp run/epochs.csv "$seeds/inspect_epochs"
behind_first_line steps_csv run/steps.csv
behind_first_line epochs_csv run/epochs.csv
{ head -c 1000 run/events.out.tfevents.* && printf '\52'; } >"$seeds/event_file/run"
cp evaluation/metrics.json "$seeds/compare_metrics"
cp evaluation/evaluation.json "$seeds/compare_evaluation"
cp evaluation/predictions.csv "$seeds/predictions"
cp run/best.safetensors.index.json "$seeds/safetensors_index" 2>/dev/null || true

text faces_csv 'path,frame,face,score,x0,y0,x1,y1,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5,crop\nb/1.png,1,0,0.5,1,2,3,4,1,2,3,4,5,6,7,8,9,0,a.png\n"b,""".png,,,,,,,,,,,,,,,,,,\n'
text safetensors '\113\0\0\0\0\0\0\0{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},"__metadata__":{"k":"v"}}ab'
text safetensors_header '{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}}'
text safetensors_header '{"z":{"dtype":"BF16","shape":[0,9],"data_offsets":[1,1]},"q":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
text safetensors_header '{"__metadata__":null,"b":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}'
text safetensors_index '{"metadata":{"total_size":96},"weight_map":{"a":"1.safetensors","b":"1.safetensors","c":"2.safetensors","d":"2.safetensors"}}'
text vit_config '{"model_type":"clip","vision_config":{"hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":64,"image_size":8,"patch_size":4,"hidden_act":"gelu"},"text_config":{}}'
text vit_config '{"model_type":"GenD","backbone":"openai/clip-vit-large-patch14","head":"LinearNorm"}'
text vit_preprocessor '{"size":64,"crop_size":64,"resample":3,"rescale_factor":0.00392156862745098,"image_mean":[0.1,0.2,0.3]}'
text vit_preprocessor '{"size":{"shortest_edge":64},"crop_size":{"height":64,"width":64},"do_convert_rgb":true}'
text vit_preprocessor '{"image_processor":{"size":{"shortest_edge":64},"image_std":[1,1,0.5]},"processor_class":"CLIPProcessor"}'
for tune in ln none all bias lora:8 lora:4:q+v ln,lora:2 'vision_model.encoder.*'; do text tune "$tune"; done

# ---- lists and data sets ----
text list 'real/v1/a.png\nreal/v1/b.png\r\nfake/v1/a.png\n'
text list '\357\273\277# lnclip: label=fake source=a b\nreal/v1/a.png\n# lnclip: label=real source=c\nfake\\v1\\a.png\n# d\n\n./real/../real/v1/b.png'
text list 'path,label,video,split\nreal/v1/a.png,0,x y,test\n"fake/v1/a.png",fake,,test\n'
text list '{"X": {"FF-real": {"test": {"v1": {"label": "FF-real", "frames": ["real/v1/a.png"]}}}}}'
text list 'real/000/2.png\nreal/000/10.png\nfake/000_001/2.png'
dfb='{"FF":{"FF-real":{"train":{"c23":{"000":{"label":"FF-real","frames":["real/a/0.png",".\\\\real\\\\a\\\\1.png"]}}}},"FF-DF":{"train":{"c23":{"000_001":{"label":"FF-DF","frames":["./fake/a/0.png"]}}}}}}'
text json "$dfb"
text json '{"a\\"{":{"b}":[1,"{",{"x":{}}]},"c":{},"d":{"e":null}}'
text sets_dfb "$dfb"
text sets_dfb '{"C":{"CelebDFv2_real":{"test":{"v":{"label":"CelebDFv2_real","frames":["real/a/0.png"]}}},"CelebDFv2_fake":{"test":{"w":{"frames":["fake/a/0.png","gone.png"]}}}}}'
text sets_dfdc '{"aa.mp4":{"label":"REAL","split":"train"},"bb.mp4":{"label":"FAKE","split":"train","original":"aa.mp4"}}'
text sets_dfdc_csv 'filename,label,"original"\naa.mp4,0,\n"bb.mp4",1,aa.mp4\n'
text sets_dfdcp '{"original_videos/1/a.mp4":{"label":"real","set":"train"},"method_A/1/b.mp4":{"label":"fake","set":"test","target_id":"1"}}'
text sets_celeb '1 YouTube-real/00000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n1 Celeb-real/id0_0000.mp4\n'
text sets_ff '[["000","001"]]'
for name in a/000_003 id0_id1_0000 01_02__walking_and_outside__YVGY8LOK x 12 ; do text identity "$name"; done

text natural_order '9.png\000010.png'
text natural_order 'v007/f1\000v7/f01'

# ---- numbers, scores, tables ----
for number in 0.5 1e-300 9007199254740993 -inf 12345678901234567890e-5 .5e+7; do text number "\\0$number"; done
text number '\1abcdefghij'
text predictions 'files,labels,prob_class_0,prob_class_1,dataset,video,source\n"x/a/v1,""q""/1.png",1,0.25,0.75,D,x/a/v1,a\nx/real/v2/1.png,0,0.5,0.5,D,x/real/v2,real\n'
text predictions 'files,labels,prob_class_0,prob_class_1\na/real/1/x.png,0,.5,.5\na/fake/1/x.png,1,.25,.75\n'
text predictions '\357\273\277label,score\r\n0,0.1\r\n1,0.9\r\n1,1e-3\r\n0,-inf\r\n'
text partial '0.25 0.75 1.5 0000000000000001 eaf06c6480b2cd11\n1 0 -3e4 0000000000000000 eaf06c6480b2cd11\n0.5 0.5 0 1 2\n'
text event_records '\5hello\12\11\0\0\0\0\0\0\0\0\20\177'
text compare_metrics '{"D":{"frame":{"auroc":0.9,"auroc_ci95":[0.8,1],"n_real":3},"video":{"auroc":null},"sources":{"a":{"frame":{},"video":{}}}}}'
text compare_evaluation '{"adapter":{"path":"a","selected_on":"b"}}'
text recipe 'recipe = probe\nlr = 1e-3 # c\nseed=7\ntune = lora:8\naugment = paper\n'
text recipe '\357\273\277data.sbi = on\r\nema=0.9\r\nsam.rho = 0.05\n'
for name in off flip paper gend; do text augment_text $name; done
for name in jpeg=90 blur=1.5 resize=64 resize=0.5 noise=0.1 resize-lanczos=20 blur=1+jpeg=50+resize-nearest=0.5; do text perturb $name; done
text perturb_option 'jpeg=90,80\nblur=1'
text perturb_option 'blur=1,2+jpeg=90,50\nresize-box=64'
text command_line '--flag\n--number\n5\n--strings\na\nb\n--repeated=c\nkey=value\nfile\n--\n--seed'
text command_line '--help'
