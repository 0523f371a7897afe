#!/usr/bin/env python3
"""Run by check_long_faces.sh: FOLDER RUNS KILLS."""
import csv
import glob
import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np

folder, runs, kills = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
build, hard, golden = os.environ['build'], os.environ['hard'], os.environ['golden']
lnclip = build + '/lnclip'
predictor = '/usr/share/dlib/shape_predictor_68_face_landmarks.dat'
os.chdir(folder)
rng = np.random.RandomState(1)
failures = 0


def check(true, text):
    global failures
    failures += not true
    print('ok   ' if true else 'FAIL ', text, flush=True)


def run(*arguments, program=lnclip, **options):
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def rows(out):
    with open(out + '/faces.csv', newline='') as file:
        return list(csv.reader(file))[1:]


def make_images():
    run('synth', '--out', 'synth', '--videos', '8', '--frames', '1', '--size', '256', '--quiet')
    os.mkdir('images')
    for i, path in enumerate(sorted(glob.glob('synth/*/*/*.png'))[:40]):
        image = cv2.imread(path)
        scale = [1, .7, .5, 1.6][i % 4]
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        height, width = image.shape[:2]
        W, H = [(480, 360), (641, 479), (333, 517), (width, height)][i % 4 if i % 5 else 3]
        W, H = max(W, width), max(H, height)
        noise = rng.normal(120, 25, (H // 4 + 1, W // 4 + 1, 3)).clip(0, 255).astype(np.uint8)
        back = cv2.resize(noise, (W, H), interpolation=cv2.INTER_CUBIC)
        y, x = (H - height) // 3, (W - width) // 2
        back[y:y + height, x:x + width] = image
        cv2.imwrite('images/%03d.ppm' % i, back)
    sheet = cv2.imread(golden + '/faces.png')
    for i, scale in enumerate((.7, 1.3, 2.1, 3.9)):
        cv2.imwrite('images/%03d.ppm' % (40 + i), cv2.resize(sheet, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))


def area(face):
    return (face[2] - face[0] + 1) * (face[3] - face[1] + 1)


def read_dlib(paths):
    """For each upsample and path: the faces that dlib finds, and the points of the first."""
    lines = run(predictor, *paths, program=folder + '/make_faces').stdout.decode().split('\n')
    starts = [i for i, line in enumerate(lines) if line.startswith('faces ')]
    found = {}
    for i, at in enumerate(starts):
        count = int(lines[at].split()[2])
        faces = [[float(v) for v in line.split()] for line in lines[at + 1:at + 1 + count]]
        points = np.array(lines[at + 1 + count].split()[1:], float).reshape(-1, 2) if count else None
        found[i % 2, paths[i // 2]] = faces, points
    return found


def compare_with_dlib():
    dlib = read_dlib(sorted(glob.glob('images/*.ppm')))
    for upsample in (0, 1):
        out = 'gend%d' % upsample
        run('faces', '--out', out, '--like', 'gend', '--upsample', str(upsample), 'images')
        equal = found = compared = 0
        for row in rows(out):
            faces, points = dlib[upsample, row[0]]
            if not faces:
                equal += row[2] == ''
                continue
            largest = max(range(len(faces)), key=lambda i: (area(faces[i]), -i))
            face = faces[largest]
            same = row[2] == str(largest) and [float(v) for v in row[4:8]] == face[:4]
            same = same and '%.6g' % float(row[3]) == '%.6g' % face[4]
            if same and largest == 0:
                five = [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
                same = np.abs(np.array(row[8:18], float) - np.ravel(five)).max() < 1e-9
                compared += 1
            found += 1
            equal += same
        total = len(rows(out))
        check(equal == total == 44, f'upsample {upsample}: {equal} of {total} images equal to dlib, {found} with a face, '
              f'points of {compared}')


def compare_crops():
    run('faces', '--out', 'dfb', 'images')
    target = np.array([(30.2946, 51.6963), (65.5318, 51.5014), (48.0252, 71.7366), (33.5493, 92.3655), (62.7299, 92.2041)])
    target = ((target + [8, 0]) * 256 / 112 + 38.4) * 256 / 332.8
    equal = total = 0
    for row in rows('dfb'):
        if not row[18]:
            continue
        p = np.array(row[8:18], float).reshape(5, 2)
        x, u = p - p.mean(0), target - target.mean(0)
        a, b = (x * u).sum() / (x * x).sum(), (x[:, 0] * u[:, 1] - x[:, 1] * u[:, 0]).sum() / (x * x).sum()
        turn = np.array([[a, -b], [b, a]])
        map_ = np.hstack([turn, (target.mean(0) - turn @ p.mean(0))[:, None]])
        model = cv2.warpAffine(cv2.imread(row[0]), map_, (256, 256), flags=cv2.INTER_LINEAR)
        equal += (cv2.imread('dfb/' + row[18]) == model).all()
        total += 1
    check(equal == total > 10, f'{equal} of {total} crops equal to NumPy and OpenCV {cv2.__version__}')


def compare_frames():
    source = ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=s=640x360:d=2:r=25']
    odd = ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=s=322x178:d=1:r=25']
    x264 = ['-c:v', 'libx264', '-pix_fmt']
    for name, arguments in {
            'h264.mp4': source + x264 + ['yuv420p'], 'odd.mp4': odd + x264 + ['yuv420p'],
            'b.mkv': source + x264 + ['yuv420p', '-bf', '3'], 'full.mp4': source + x264 + ['yuvj420p'],
            '709.mp4': source + x264 + ['yuv420p', '-colorspace', 'bt709', '-color_trc', 'bt709', '-color_primaries', 'bt709'],
            '444.mp4': source + x264 + ['yuv444p'], '10bit.mp4': source + x264 + ['yuv420p10le'],
            'mpeg4.avi': source + ['-c:v', 'mpeg4'], 'mjpeg.avi': source + ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj422p'],
            'vp9.webm': source + ['-c:v', 'libvpx-vp9', '-deadline', 'realtime', '-cpu-used', '8'],
            'turned.mp4': ['-v', 'error', '-y', '-i', 'h264.mp4', '-c', 'copy', '-metadata:s:v', 'rotate=180']}.items():
        run(*arguments, name, program='ffmpeg')
        capture, frames = cv2.VideoCapture(name), []
        while True:
            ok, frame = capture.read()
            if not ok:
                break
            frames.append(frame[:, :, ::-1])
        run('dump', name, 'frames.raw', program=build + '/tests/test_video')
        ours = np.fromfile('frames.raw', np.uint8)
        check(len(frames) >= 25 and np.array_equal(ours, np.stack(frames).ravel()), f'{name}: {len(frames)} frames equal to OpenCV')


def user_seconds(*arguments, program=lnclip):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(*arguments, program=program)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare_speed():
    image = cv2.resize(cv2.imread('images/003.ppm'), (1920, 1080), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite('big.ppm', image)
    seconds = {'dlib': [], 'lnclip': []}
    for i in range(5):
        shutil.rmtree('speed', ignore_errors=True)
        # dlib runs without and with upsampling: so does lnclip. Both read the image, dlib its predictor, too.
        load = user_seconds(predictor, program=folder + '/make_faces')
        seconds['dlib'].append(user_seconds(predictor, 'big.ppm', program=folder + '/make_faces') - load)
        ours = 0
        for upsample in '01':
            shutil.rmtree('speed', ignore_errors=True)
            ours += user_seconds('faces', '--out', 'speed', '--like', 'ffpp', '--upsample', upsample, '--threads', '1', 'big.ppm')
        seconds['lnclip'].append(ours)
    ratio = min(seconds['lnclip']) / min(seconds['dlib'])
    check(ratio <= .7, f"1920x1080: {min(seconds['lnclip']):.2f} s, dlib {min(seconds['dlib']):.2f} s, ratio {ratio:.2f}")


def state(out):
    return {path: hashlib.md5(open(path, 'rb').read()).hexdigest()
            for path in sorted(glob.glob(out + '/**', recursive=True)) if os.path.isfile(path)}


def kill_and_continue():
    os.makedirs('mixed/s/v')
    for i in range(6):
        shutil.copy('images/%03d.ppm' % (i + 36), 'mixed/s/v/%d.ppm' % i)
    shutil.copy(golden + '/faces.mp4', 'mixed/s/clip.mp4')
    command = ['faces', '--landmarks', golden + '/faces.dat', '--frames', '6', 'mixed', '--out']
    start = time.time()
    run(*command, 'whole')
    length = time.time() - start
    expected = {path[len('whole'):]: digest for path, digest in state('whole').items()}
    equal = 0
    for i in range(kills):
        shutil.rmtree('killed', ignore_errors=True)
        process = subprocess.Popen([lnclip, *command, 'killed'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.Random(i).uniform(0, 1.1 * length))
        process.kill()
        process.wait()
        run(*command, 'killed')
        equal += {path[len('killed'):]: digest for path, digest in state('killed').items()} == expected
    check(equal == kills, f'{equal} of {kills} killed jobs end with the same files')


def damage():
    sources = [golden + '/faces.mp4', golden + '/faces.dat', golden + '/faces.png', 'mpeg4.avi', 'vp9.webm', 'b.mkv']
    bad = []
    for i in range(runs):
        chance = random.Random(i)
        source = sources[i % len(sources)]
        data = bytearray(open(source, 'rb').read()[:60000])
        for _ in range(chance.choice([1, 3, 20, 200])):
            data[chance.randrange(len(data) if chance.random() < .5 else min(len(data), 400))] = chance.randrange(256)
        if chance.random() < .2:
            del data[chance.randrange(len(data)):]
        name = 'damaged.' + source.split('.')[-1]
        with open(name, 'wb') as file:
            file.write(data)
        shutil.rmtree('damage', ignore_errors=True)
        if name.endswith('.dat'):
            command = ['--landmarks', name, golden + '/faces.png']
        else:
            command = ['--like', 'ffpp', '--upsample', '0', '--frames', '3', name]
        try:
            code = run('faces', '--out', 'damage', *command, program=hard, timeout=120,
                       env=dict(os.environ, ASAN_OPTIONS='detect_leaks=0')).returncode
        except subprocess.TimeoutExpired:
            code = 'time-out'
        if code not in (0, 1):
            bad.append((i, source, code))
    check(not bad, f'{runs} damaged files, {len(bad)} crashes or time-outs {bad[:5]}')


make_images()
compare_with_dlib()
compare_crops()
compare_frames()
compare_speed()
kill_and_continue()
damage()
sys.exit(failures > 0)
